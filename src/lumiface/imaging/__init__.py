"""Image processing: files, colour, filters, denoising, rounding. Independent of faces."""

from __future__ import annotations
