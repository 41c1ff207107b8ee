"""Inference: photographs in, restored photographs out."""

from __future__ import annotations
