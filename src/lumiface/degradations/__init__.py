"""How good pictures become bad ones: seeded, and every drawn parameter returned."""

from __future__ import annotations
