"""Where pictures come from, and the benchmark sets that are built of them."""

from __future__ import annotations
