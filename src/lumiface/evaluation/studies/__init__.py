"""Evaluation of single methods beyond the benchmark; benchmarks and tests use these."""

from __future__ import annotations
