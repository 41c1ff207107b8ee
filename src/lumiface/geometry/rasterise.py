"""Rasterisation of triangle meshes with an exact z-buffer.

Only the pixels in a triangle's bounding box are tested against it, all boxes in one vector: the cost is
proportional to the projected area, without loops over pixels or triangles. A pixel belongs to the triangles
that contain its centre, edges included; the nearest one wins, the first one among equals. Neighbouring
triangles compute their common edge from the same numbers in the same order, so that rounding leaves no gaps.
All computation is in float64 where the device supports it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 1 << 21
"""Pairs of triangle and pixel in memory together, about 500 MB; exceeded by at most one triangle."""

_MIN_AREA = 1e-6
"""Square pixels; the orientation of a smaller triangle is not reliable after rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """The visible surface at each pixel of B images.

    Attributes:
        depth: (B, H, W) in the unit of the vertices' z; 0 without a triangle.
        mask: (B, H, W) bool, True where there is a triangle.
        triangle: (B, H, W) int64, its index; -1 without one.
        barycentric: (B, H, W, 3), coordinates on the surface, corrected for perspective if rasterised in it;
            0 without a triangle.
    """

    depth: Tensor
    mask: Tensor
    triangle: Tensor
    barycentric: Tensor


def rasterise(
    vertices: Tensor, triangles: Tensor, height: int, width: int, *, perspective: bool = True
) -> Raster:
    """The nearest surface at every pixel centre. Depth and barycentrics are differentiable by the vertices.

    Skipped are triangles of less than a millionth of a square pixel, with a corner that is not finite, or (in
    perspective) with a corner at or behind the camera. No clipping in depth. Triangles are two-sided.

    Args:
        vertices: (B, V, 3): x and y in pixels, the first pixel's centre at (0.5, 0.5), and depth, larger is
            farther. In perspective the depth along the camera's axis, as from `camera.project`.
        triangles: (F, 3) int64, indices of vertices, shared by the batch.
        height, width: of the images in pixels.
        perspective: the vertices come from a pinhole camera: 1 / depth is linear in the image, not depth.

    Raises:
        ValueError: the shapes do not match, or a triangle refers to a missing vertex.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(
            f"vertices {tuple(vertices.shape)} must be (B, V, 3), triangles {tuple(triangles.shape)} (F, 3)"
        )
    if len(triangles) and not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices.shape[1]:
        raise ValueError(f"a triangle refers to a vertex that is not among the {vertices.shape[1]}")
    batch, faces = len(vertices), len(triangles)
    exact = vertices if vertices.device.type == "mps" else vertices.double()
    corners = exact[:, triangles].reshape(batch * faces, 3, 3)
    with torch.no_grad():
        visible = _nearest(corners, triangles, batch, height, width, perspective)  # (B·H·W,), -1: none
    mask = visible >= 0
    pixel = mask.nonzero()[:, 0]
    weights = _barycentric(corners[visible[pixel]], _centres(pixel, height, width, corners), perspective)
    barycentric = weights.new_zeros(len(visible), 3).index_put((pixel,), weights)
    z = (weights * corners[visible[pixel], :, 2]).sum(dim=1)
    depth = weights.new_zeros(len(visible)).index_put((pixel,), z)
    shape = (batch, height, width)
    index = torch.where(mask, visible % max(faces, 1), -1)
    depth, barycentric = depth.to(vertices.dtype), barycentric.to(vertices.dtype)
    return Raster(
        depth.reshape(shape), mask.reshape(shape), index.reshape(shape), barycentric.reshape(*shape, 3)
    )


def interpolate(raster: Raster, triangles: Tensor, attributes: Tensor) -> Tensor:
    """Interpolate vertex attributes (B, V, C) at each pixel: (B, H, W, C), 0 without a triangle."""
    flat = triangles[raster.triangle.clamp(min=0)].flatten(1)  # (B, H·W·3)
    indices = flat[:, :, None].expand(-1, -1, attributes.shape[2])
    values = attributes.gather(1, indices).reshape(*raster.triangle.shape, 3, attributes.shape[2])
    return (raster.barycentric[..., None] * values).sum(dim=3)


def _nearest(
    corners: Tensor, triangles: Tensor, batch: int, height: int, width: int, perspective: bool
) -> Tensor:
    """(B·H·W,) the row of `corners` that is visible at each pixel, -1: none."""
    first, last = _boxes(corners, height, width, perspective)  # (N, 2) columns and rows, both included
    extent = (last - first + 1).clamp(min=0)
    tests = extent.prod(dim=1)
    active = tests.nonzero()[:, 0]
    end = tests[active].cumsum(0)
    edges, sign = _edges(corners, triangles.repeat(batch, 1))
    z_buffer = torch.full((batch * height * width,), torch.inf, dtype=corners.dtype, device=corners.device)
    visible = torch.full((batch * height * width,), len(corners), dtype=torch.long, device=corners.device)
    group = torch.div(end - 1, _CHUNK, rounding_mode="floor")
    for index in group.unique().tolist():
        rows = active[group == index]
        count = tests[rows]
        row = rows.repeat_interleave(count)
        offset = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count).repeat_interleave(
            count
        )
        columns = extent[row, 0]
        column = first[row, 0] + offset % columns
        line = first[row, 1] + torch.div(offset, columns, rounding_mode="floor")
        centre = torch.stack([column, line], dim=1).to(corners.dtype) + 0.5
        area = _areas(edges, sign, row, centre)
        inside = (area >= 0).all(dim=1).nonzero()[:, 0]
        row, weights = row[inside], area[inside]
        weights = weights / weights.sum(dim=1, keepdim=True)
        z = corners[row, :, 2]
        depth = 1.0 / (weights / z).sum(dim=1) if perspective else (weights * z).sum(dim=1)
        image = torch.div(row, len(triangles), rounding_mode="floor")
        pixel = (image * height + line[inside]) * width + column[inside]
        nearest = z_buffer.scatter_reduce(0, pixel, depth, "amin")
        visible = torch.where(nearest < z_buffer, len(corners), visible)
        hit = (depth == nearest[pixel]).nonzero()[:, 0]
        visible = visible.scatter_reduce(0, pixel[hit], row[hit], "amin")
        z_buffer = nearest
    return torch.where(visible < len(corners), visible, -1)


def _boxes(corners: Tensor, height: int, width: int, perspective: bool) -> tuple[Tensor, Tensor]:
    """First and last column and row, (N, 2) each, whose pixel centres a triangle may contain."""
    flat = corners[:, :, :2]
    side, other = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    double_area = (side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]).abs()
    usable = corners.isfinite().all(dim=2).all(dim=1) & (double_area >= 2 * _MIN_AREA)
    if perspective:
        usable &= (corners[:, :, 2] > 0).all(dim=1)
    limit = flat.new_tensor([width - 1, height - 1])
    # Skipped triangles get a box from 0 to -1: no pixel.
    flat = torch.where(usable[:, None, None], flat, -1.0)
    first = (flat.amin(dim=1) - 0.5).ceil().clamp(min=0.0)
    last = torch.minimum((flat.amax(dim=1) - 0.5).floor().clamp(min=-1.0), limit)
    return torch.minimum(first, limit + 1).long(), last.long()


def _edges(corners: Tensor, triangles: Tensor) -> tuple[Tensor, Tensor]:
    """The edge opposite each corner as start and direction, (N, 3, 4), and its sign, (N, 3).

    It points from the vertex of smaller index to that of larger index; the sign makes the inside positive.
    """
    start, stop = corners[:, [1, 2, 0], :2], corners[:, [2, 0, 1], :2]
    swap = triangles[:, [1, 2, 0]] > triangles[:, [2, 0, 1]]
    low = torch.where(swap[:, :, None], stop, start)
    high = torch.where(swap[:, :, None], start, stop)
    side, other = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    winding = (side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]).sign()
    return torch.cat([low, high - low], dim=2), torch.where(swap, -1.0, 1.0) * winding[:, None]


def _areas(edges: Tensor, sign: Tensor, row: Tensor, centre: Tensor) -> Tensor:
    """(P, 3): twice the signed area of a pixel centre (P, 2) and each edge of triangle `row` (P,)."""
    edge = edges[row]  # (P, 3, 4)
    across = edge[:, :, 2] * (centre[:, None, 1] - edge[:, :, 1])
    down = edge[:, :, 3] * (centre[:, None, 0] - edge[:, :, 0])
    return sign[row] * (across - down)


def _barycentric(corners: Tensor, centre: Tensor, perspective: bool) -> Tensor:
    """Barycentric coordinates (P, 3) in triangles (P, 3, 3) at pixel centres (P, 2)."""
    flat = corners[:, :, :2] - centre[:, None]
    start, stop = flat[:, [1, 2, 0]], flat[:, [2, 0, 1]]
    area = start[..., 0] * stop[..., 1] - start[..., 1] * stop[..., 0]
    if perspective:
        area = area / corners[:, :, 2]
    return area / area.sum(dim=1, keepdim=True)


def _centres(pixel: Tensor, height: int, width: int, like: Tensor) -> Tensor:
    """(P,) pixel indices over the whole batch -> (P, 2) x and y of their centres."""
    column = pixel % width
    line = torch.div(pixel, width, rounding_mode="floor") % height
    return torch.stack([column, line], dim=1).to(like.dtype) + 0.5
