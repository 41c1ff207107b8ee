"""3D geometry of faces: landmark meshes, cameras, and depth maps computed from both."""

from __future__ import annotations
