"""Collection of dark faces from videos and folders."""

from __future__ import annotations
