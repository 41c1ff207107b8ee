"""Make each picture of a batch smaller by its own factor, and large again, without a loop.

The bicubic resampling of `resample` (Keys 1981, antialiased, mirrored at the rim) as one dense matrix a side
and picture. Small pictures of different sizes share one tensor of the large size: what lies beyond a small
picture's own rows and columns repeats its last ones, so that blur and JPEG meet no false edge there.
"""

from __future__ import annotations

import torch
from torch import Tensor


def small_sides(height: int, width: int, factor: Tensor) -> tuple[Tensor, Tensor]:
    """The sides (B,) int64 of pictures that are `factor` (B,) times smaller, at least 4 pixels."""

    def small(side: int) -> Tensor:
        return (side / factor + 0.5).floor().long().clamp(min(4, side), side)

    return small(height), small(width)


def shrink(pictures: Tensor, sides: tuple[Tensor, Tensor]) -> Tensor:
    """Reduce each picture to its own size.

    Args:
        pictures: (B, C, H, W).
        sides: rows and columns to keep, (B,) int64 each, at most H and W.

    Returns:
        (B, C, H, W), not clipped: the small picture in the upper left corner, its last row and column
        repeated beyond.
    """
    old = [torch.full_like(side, size) for side, size in zip(sides, pictures.shape[-2:], strict=True)]
    return _both_sides(pictures, old, sides)


def enlarge(pictures: Tensor, sides: tuple[Tensor, Tensor]) -> Tensor:
    """Bring what `shrink` gave back to the size of the tensor; nothing beyond the `sides` is looked at."""
    new = [torch.full_like(side, size) for side, size in zip(sides, pictures.shape[-2:], strict=True)]
    return _both_sides(pictures, sides, new)


def repeat_edges(pictures: Tensor, sides: tuple[Tensor, Tensor]) -> Tensor:
    """Repeat the last row and column of each small picture again, after something has been done to it."""
    rows, columns = (
        torch.minimum(torch.arange(size, device=pictures.device)[None], side[:, None] - 1)
        for side, size in zip(sides, pictures.shape[-2:], strict=True)
    )
    tall = pictures.gather(2, rows[:, None, :, None].expand_as(pictures))
    return tall.gather(3, columns[:, None, None, :].expand_as(pictures))


def _both_sides(
    pictures: Tensor, old: list[Tensor] | tuple[Tensor, ...], new: list[Tensor] | tuple[Tensor, ...]
) -> Tensor:
    down, across = (
        _matrices(size, before, after, pictures.dtype)[:, None]
        for size, before, after in zip(pictures.shape[-2:], old, new, strict=True)
    )
    return down @ pictures @ across.mT


def _matrices(size: int, old: Tensor, new: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, size, size): rows of weights that take `old` samples to `new`; later rows repeat the last one."""
    step = torch.arange(size, device=old.device, dtype=dtype)
    before, after = (side.to(dtype)[:, None, None] for side in (old, new))
    row = torch.minimum(step[None, :, None], after - 1.0)
    column = step[None, None, :]
    place = (row + 0.5) * before / after - 0.5
    stretch = (before / after).clamp(min=1.0)
    # A sample counts at its own place and at the two where the rims mirror it.
    weights = (
        _cubic((place - column) / stretch)
        + _cubic((place + 1.0 + column) / stretch)
        + _cubic((place + 1.0 + column - 2.0 * before) / stretch)
    )
    weights = torch.where(column < before, weights, torch.zeros_like(weights))
    return weights / weights.sum(dim=-1, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' kernel with a = −1/2."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, torch.zeros_like(x)))
