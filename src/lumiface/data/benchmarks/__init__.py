"""Benchmark sets, reproducible byte for byte."""

from __future__ import annotations
