"""How far away each pixel of a face is, from the points found in it: what a depth map is trained towards.

The points' own z is relative (weak perspective, in pixels). The generic face, seen by the fitted camera, has
true depths; the line that fits these best to z turns z into depth, so that a person's own nose and chin stay,
and the distance comes from the camera. Only the face has a depth: no hair, ears, neck or background.
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
    `mask` (B, H, W) bool, where the face is."""

    depth: Tensor
    mask: Tensor


def face_vertices(points: Tensor, camera: Tensor, face: Mesh, image_size: int | tuple[int, int]) -> Tensor:
    """The photographed face's own surface in the picture: points with z made into depth.

    Args:
        points: (B, V, 3) x, y, z in pixels, as `FaceMeshes` gives them.
        camera: (B, 25), as `fit_camera` found it for these points.
        face: the generic face in the world.
        image_size: of the picture in pixels: side, or height and width.

    Returns:
        (B, V, 3) x and y in pixels as they were, depth along the camera's axis in world units.

    Raises:
        ValueError: the points' z does not grow with the face's depth; these are no points of a face.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    depth = project(face.vertices.to(points), camera, height, width)[:, :, 2]  # (B, V)
    middle, middle_z = depth.mean(dim=1, keepdim=True), points[:, :, 2].mean(dim=1, keepdim=True)
    z = points[:, :, 2] - middle_z
    scale = (z * (depth - middle)).sum(dim=1, keepdim=True) / z.square().sum(dim=1, keepdim=True)
    bad = (~(scale > 0)).nonzero()[:, 0].tolist()
    if bad:
        raise ValueError(f"the depth of faces {bad[:5]} runs against their camera's; leave these out")
    return torch.cat([points[:, :, :2], (middle + scale * z)[:, :, None]], dim=2)


def face_surface(points: Tensor, camera: Tensor, face: Mesh, image_size: int | tuple[int, int]) -> Tensor:
    """(B, V, 3) the photographed face's own surface in the world; arguments as for `face_vertices`."""
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
        points, camera, face, image_size: as for `face_vertices`.
        size: height and width of the map in pixels; default: those of the picture.

    Raises:
        ValueError: the points' z does not grow with the face's depth; these are no points of a face.
    """
    old_height, old_width = (image_size, image_size) if isinstance(image_size, int) else image_size
    height, width = size or (old_height, old_width)
    vertices = face_vertices(points, camera, face, image_size)
    vertices = vertices * vertices.new_tensor([width / old_width, height / old_height, 1.0])
    raster = rasterise(vertices, face.triangles.to(points.device), height, width)
    return DepthTarget(depth_along_rays(raster.depth, camera), raster.mask)


def depth_along_rays(depth: Tensor, camera: Tensor) -> Tensor:
    """Depth along the camera's axis (B, H, W) -> distance along each pixel's ray (B, H, W)."""
    height, width = depth.shape[1:]
    slopes = ray_slopes(camera, pixel_centres(camera, height, width), height, width)  # (B, H·W, 3), z = 1
    return depth * torch.linalg.vector_norm(slopes, dim=2).reshape(-1, height, width)
