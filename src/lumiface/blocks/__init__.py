"""Layers that two networks or more are made of."""

from __future__ import annotations
