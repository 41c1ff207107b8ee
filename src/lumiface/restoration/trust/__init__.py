"""How far a restored face can be trusted."""

from __future__ import annotations

from lumiface.restoration.trust.trust import Trust, Verdict

__all__ = ["Trust", "Verdict"]
