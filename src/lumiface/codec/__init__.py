"""Bytes of picture files ↔ arrays of samples. Only `lumiface.image` uses this."""

from __future__ import annotations
