"""Measurements of single methods beyond the benchmark, used by `benchmarks/` and the tests."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with images done, images in all."""
