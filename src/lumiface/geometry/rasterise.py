"""Which triangle each pixel sees, how far away, and where on it: an exact z-buffer.

Only the pixels in a triangle's bounding box are tried for it, all boxes in one vector, so that the cost
follows the surface's area in the picture and no loop runs over pixels or triangles. A pixel belongs to a
triangle that its centre lies in, edges included; of several the nearest is taken, of equally near ones the
first. Neighbours compute their common edge from the same numbers in the same order: no crack, whatever the
rounding. All of it is done in float64 where the device has that type.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_AT_ONCE = 1 << 21
"""Pairs of triangle and pixel in memory together, some 500 MB; one triangle more may come on top."""

_LEAST_AREA = 1e-6
"""Square pixels; a triangle below has no direction that its rounding would not turn around."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """What each pixel of B pictures sees.

    Attributes:
        depth: (B, H, W) in the unit of the vertices' z; 0 where there is nothing.
        mask: (B, H, W) bool, whether there is a triangle.
        triangle: (B, H, W) int64, its number; -1 where there is none.
        barycentric: (B, H, W, 3), the shares of its corners, on the surface itself (corrected for perspective
            where that was asked for); 0 where there is none.
    """

    depth: Tensor
    mask: Tensor
    triangle: Tensor
    barycentric: Tensor


def rasterise(
    vertices: Tensor, triangles: Tensor, height: int, width: int, *, perspective: bool = True
) -> Raster:
    """The nearest surface at every pixel's centre. Depth and shares can be differentiated by the vertices.

    Left out are triangles of less than a millionth of a square pixel, with a corner that is not finite, or
    (in perspective) with one at or behind the camera. No clipping in depth. Triangles have two sides.

    Args:
        vertices: (B, V, 3): x and y in pixels, the first pixel's centre at (0.5, 0.5), and depth, larger is
            farther. In perspective the depth along the camera's axis, as `camera.project` gives it.
        triangles: (F, 3) int64, indices of vertices, shared by the batch.
        height, width: of the pictures in pixels.
        perspective: the vertices come from a pinhole: depth is then harmonic along the picture, not linear.

    Raises:
        ValueError: the shapes do not fit, or a triangle names a vertex that is not there.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(
            f"vertices {tuple(vertices.shape)} must be (B, V, 3), triangles {tuple(triangles.shape)} (F, 3)"
        )
    if len(triangles) and not 0 <= int(triangles.min()) <= int(triangles.max()) < vertices.shape[1]:
        raise ValueError(f"a triangle names a vertex that is not among the {vertices.shape[1]}")
    batch, faces = len(vertices), len(triangles)
    exact = vertices if vertices.device.type == "mps" else vertices.double()
    corners = exact[:, triangles].reshape(batch * faces, 3, 3)
    with torch.no_grad():
        seen = _nearest(corners, triangles, batch, height, width, perspective)  # (B·H·W,), -1: nothing
    mask = seen >= 0
    pixel = mask.nonzero()[:, 0]
    share = _shares_at(corners[seen[pixel]], _centres(pixel, height, width, corners), perspective)
    barycentric = share.new_zeros(len(seen), 3).index_put((pixel,), share)
    depth = share.new_zeros(len(seen)).index_put((pixel,), (share * corners[seen[pixel], :, 2]).sum(dim=1))
    shape = (batch, height, width)
    number = torch.where(mask, seen % max(faces, 1), -1)
    depth, barycentric = depth.to(vertices.dtype), barycentric.to(vertices.dtype)
    return Raster(
        depth.reshape(shape), mask.reshape(shape), number.reshape(shape), barycentric.reshape(*shape, 3)
    )


def interpolate(raster: Raster, triangles: Tensor, attributes: Tensor) -> Tensor:
    """Values of the vertices, (B, V, C), at what each pixel sees: (B, H, W, C), 0 where that is nothing."""
    flat = triangles[raster.triangle.clamp(min=0)].flatten(1)  # (B, H·W·3)
    spread = flat[:, :, None].expand(-1, -1, attributes.shape[2])
    values = attributes.gather(1, spread).reshape(*raster.triangle.shape, 3, attributes.shape[2])
    return (raster.barycentric[..., None] * values).sum(dim=3)


def _nearest(
    corners: Tensor, triangles: Tensor, batch: int, height: int, width: int, perspective: bool
) -> Tensor:
    """(B·H·W,) which row of `corners` each pixel sees, -1: none."""
    first, last = _boxes(corners, height, width, perspective)  # (N, 2) columns and rows, both included
    extent = (last - first + 1).clamp(min=0)
    tries = extent.prod(dim=1)
    active = tries.nonzero()[:, 0]
    end = tries[active].cumsum(0)
    edges, sign = _edges(corners, triangles.repeat(batch, 1))
    farthest = torch.full((batch * height * width,), torch.inf, dtype=corners.dtype, device=corners.device)
    seen = torch.full((batch * height * width,), len(corners), dtype=torch.long, device=corners.device)
    group = torch.div(end - 1, _AT_ONCE, rounding_mode="floor")
    for number in group.unique().tolist():
        rows = active[group == number]
        count = tries[rows]
        row = rows.repeat_interleave(count)
        place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count).repeat_interleave(count)
        across = extent[row, 0]
        column = first[row, 0] + place % across
        line = first[row, 1] + torch.div(place, across, rounding_mode="floor")
        centre = torch.stack([column, line], dim=1).to(corners.dtype) + 0.5
        area = _areas(edges, sign, row, centre)
        inside = (area >= 0).all(dim=1).nonzero()[:, 0]
        row, share = row[inside], area[inside]
        share = share / share.sum(dim=1, keepdim=True)
        z = corners[row, :, 2]
        depth = 1.0 / (share / z).sum(dim=1) if perspective else (share * z).sum(dim=1)
        picture = torch.div(row, len(triangles), rounding_mode="floor")
        pixel = (picture * height + line[inside]) * width + column[inside]
        nearest = farthest.scatter_reduce(0, pixel, depth, "amin")
        seen = torch.where(nearest < farthest, len(corners), seen)
        hit = (depth == nearest[pixel]).nonzero()[:, 0]
        seen = seen.scatter_reduce(0, pixel[hit], row[hit], "amin")
        farthest = nearest
    return torch.where(seen < len(corners), seen, -1)


def _boxes(corners: Tensor, height: int, width: int, perspective: bool) -> tuple[Tensor, Tensor]:
    """First and last column and row, (N, 2) each, whose pixels' centres a triangle can hold."""
    flat = corners[:, :, :2]
    side, other = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    double_area = (side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]).abs()
    usable = corners.isfinite().all(dim=2).all(dim=1) & (double_area >= 2 * _LEAST_AREA)
    if perspective:
        usable &= (corners[:, :, 2] > 0).all(dim=1)
    limit = flat.new_tensor([width - 1, height - 1])
    # What cannot be used gets a box from 0 to -1: no pixel.
    flat = torch.where(usable[:, None, None], flat, -1.0)
    first = (flat.amin(dim=1) - 0.5).ceil().clamp(min=0.0)
    last = torch.minimum((flat.amax(dim=1) - 0.5).floor().clamp(min=-1.0), limit)
    return torch.minimum(first, limit + 1).long(), last.long()


def _edges(corners: Tensor, triangles: Tensor) -> tuple[Tensor, Tensor]:
    """The edge opposite each corner as start and direction, (N, 3, 4), and its sign, (N, 3).

    It runs from the vertex of the smaller number to that of the larger; the sign makes the inside positive.
    """
    start, stop = corners[:, [1, 2, 0], :2], corners[:, [2, 0, 1], :2]
    swap = triangles[:, [1, 2, 0]] > triangles[:, [2, 0, 1]]
    low = torch.where(swap[:, :, None], stop, start)
    high = torch.where(swap[:, :, None], start, stop)
    side, other = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    turn = (side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]).sign()
    return torch.cat([low, high - low], dim=2), torch.where(swap, -1.0, 1.0) * turn[:, None]


def _areas(edges: Tensor, sign: Tensor, row: Tensor, centre: Tensor) -> Tensor:
    """(P, 3): twice the area between a pixel's centre (P, 2) and each edge of triangle `row` (P,)."""
    edge = edges[row]  # (P, 3, 4)
    across = edge[:, :, 2] * (centre[:, None, 1] - edge[:, :, 1])
    down = edge[:, :, 3] * (centre[:, None, 0] - edge[:, :, 0])
    return sign[row] * (across - down)


def _shares_at(corners: Tensor, centre: Tensor, perspective: bool) -> Tensor:
    """Shares of the corners (P, 3, 3) at pixels' centres (P, 2), on the surface: (P, 3)."""
    flat = corners[:, :, :2] - centre[:, None]
    start, stop = flat[:, [1, 2, 0]], flat[:, [2, 0, 1]]
    area = start[..., 0] * stop[..., 1] - start[..., 1] * stop[..., 0]
    if perspective:
        area = area / corners[:, :, 2]
    return area / area.sum(dim=1, keepdim=True)


def _centres(pixel: Tensor, height: int, width: int, like: Tensor) -> Tensor:
    """(P,) pixels counted through the batch -> (P, 2) x and y of their centres."""
    column = pixel % width
    line = torch.div(pixel, width, rounding_mode="floor") % height
    return torch.stack([column, line], dim=1).to(like.dtype) + 0.5
