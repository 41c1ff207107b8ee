"""Shared basics: errors, files, seeds, shapes, assets, devices, settings. No networks, no images."""

from __future__ import annotations
