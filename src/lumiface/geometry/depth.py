"""Depth maps of faces from their landmarks: the ground truth for training depth.

The landmarks' z is relative (weak perspective, in pixels). The canonical face seen by the fitted camera has
metric depths; a linear fit of these to z converts z into depth, so that the shape is the person's own and the
distance comes from the camera. Only the face has a depth: no hair, ears, neck or background.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lumiface.geometry.camera import pixel_centres, project, ray_slopes, unproject
from lumiface.geometry.mesh import Mesh
from lumiface.geometry.rasterise import rasterise


@dataclass(frozen=True, slots=True, eq=False)
class DepthTarget:
    """`depth` (B, H, W), distance from the camera along each pixel's ray in world units, 0 outside `mask`;
    `mask` (B, H, W) bool, True on the face."""

    depth: Tensor
    mask: Tensor


def face_vertices(points: Tensor, camera: Tensor, face: Mesh, image_size: int | tuple[int, int]) -> Tensor:
    """The surface of the photographed face in image space: landmarks with z converted to depth.

    Args:
        points: (B, V, 3) x, y, z in pixels, as in `FaceMeshes`.
        camera: (B, 25), from `fit_camera` for these points.
        face: the canonical face in the world.
        image_size: in pixels: size of a square image, or height and width.

    Returns:
        (B, V, 3) unchanged x and y in pixels, depth along the camera's axis in world units.

    Raises:
        ValueError: the points' z does not increase with the face's depth; these are not landmarks of a face.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    depth = project(face.vertices.to(points), camera, height, width)[:, :, 2]  # (B, V)
    mean_depth, mean_z = depth.mean(dim=1, keepdim=True), points[:, :, 2].mean(dim=1, keepdim=True)
    z = points[:, :, 2] - mean_z
    scale = (z * (depth - mean_depth)).sum(dim=1, keepdim=True) / z.square().sum(dim=1, keepdim=True)
    invalid = (~(scale > 0)).nonzero()[:, 0].tolist()
    if invalid:
        raise ValueError(f"the depth of faces {invalid[:5]} is inverted; leave these out")
    return torch.cat([points[:, :, :2], (mean_depth + scale * z)[:, :, None]], dim=2)


def face_surface(points: Tensor, camera: Tensor, face: Mesh, image_size: int | tuple[int, int]) -> Tensor:
    """(B, V, 3) the surface of the photographed face in the world; arguments as of `face_vertices`."""
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    return unproject(face_vertices(points, camera, face, image_size), camera, height, width)


def face_depth(
    points: Tensor,
    camera: Tensor,
    face: Mesh,
    image_size: int | tuple[int, int],
    size: tuple[int, int] | None = None,
) -> DepthTarget:
    """Depth map and mask of each face, for the pixels of `camera.rays`.

    Args:
        points, camera, face, image_size: as of `face_vertices`.
        size: height and width of the map in pixels; default: those of the image.

    Raises:
        ValueError: the points' z does not increase with the face's depth; these are not landmarks of a face.
    """
    image_height, image_width = (image_size, image_size) if isinstance(image_size, int) else image_size
    height, width = size or (image_height, image_width)
    vertices = face_vertices(points, camera, face, image_size)
    vertices = vertices * vertices.new_tensor([width / image_width, height / image_height, 1.0])
    raster = rasterise(vertices, face.triangles.to(points.device), height, width)
    return DepthTarget(depth_along_rays(raster.depth, camera), raster.mask)


def depth_along_rays(depth: Tensor, camera: Tensor) -> Tensor:
    """Depth along the camera's axis (B, H, W) -> distance along each pixel's ray (B, H, W)."""
    height, width = depth.shape[1:]
    slopes = ray_slopes(camera, pixel_centres(camera, height, width), height, width)  # (B, H·W, 3), z = 1
    return depth * torch.linalg.vector_norm(slopes, dim=2).reshape(-1, height, width)
