"""Images to scores, with intervals and provenance."""

from __future__ import annotations
