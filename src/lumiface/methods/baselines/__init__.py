"""Baselines: each file begins with its paper, what is exact, and what deviates."""

from __future__ import annotations
