"""One training loop; a task says what is learnt."""

from __future__ import annotations
