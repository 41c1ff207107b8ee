"""Faces in memory, and batches drawn from them."""

from __future__ import annotations
