"""One folder per method, one file per baseline; none knows another."""

from __future__ import annotations
