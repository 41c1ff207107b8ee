"""Picture sources, benchmark sets, training sets, and the collection of dark faces."""

from __future__ import annotations
