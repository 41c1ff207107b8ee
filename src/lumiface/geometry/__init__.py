"""Faces in three dimensions: meshes of points, cameras, and the depth that the two give."""

from __future__ import annotations
