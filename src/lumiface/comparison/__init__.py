"""Tables of methods at one training budget: plan, train, score, report."""

from __future__ import annotations
