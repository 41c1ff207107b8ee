"""One folder per method, one file per baseline; methods do not import one another."""

from __future__ import annotations
