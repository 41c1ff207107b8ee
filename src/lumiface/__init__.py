"""lumiface: bring faces out of the dark."""

from __future__ import annotations

__version__ = "0.1.0"
