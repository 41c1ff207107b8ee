"""Pixels in, pixels out: files, colour, filters, noise. Knows no face."""

from __future__ import annotations
