"""Bytes of picture files ↔ arrays of samples. Only `lumiface.imaging.io` uses this."""

from __future__ import annotations
