"""Bytes of image files ↔ arrays of samples; use `lumiface.imaging.io` for anything but GIF animations."""

from __future__ import annotations
