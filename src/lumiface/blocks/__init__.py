"""Layers that several methods use."""

from __future__ import annotations
