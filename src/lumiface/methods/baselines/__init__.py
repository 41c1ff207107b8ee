"""Methods to compare with: each file opens with its paper, what is exact, and what deviates."""

from __future__ import annotations
