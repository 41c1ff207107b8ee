"""Training data: faces in memory, and batches of them on the training device."""

from __future__ import annotations
