"""Degradations: clean images to degraded ones, seeded, with every sampled parameter returned."""

from __future__ import annotations
