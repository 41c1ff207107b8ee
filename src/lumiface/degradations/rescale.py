"""Downscaling and enlarging of a batch with one factor per picture, without a loop.

The bicubic resampling of `resample` (Keys 1981, antialiased, mirrored at the border) as one dense matrix per
axis and picture. Small pictures of different sizes share one tensor of the large size: beyond a small
picture's own rows and columns the last ones are repeated, so that blur and JPEG find no false edge there.
"""

from __future__ import annotations

import torch
from torch import Tensor


def reduced_sizes(height: int, width: int, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width (B,) int64 of pictures reduced by `factor` (B,), at least 4 pixels."""

    def small(side: int) -> Tensor:
        return (side / factor + 0.5).floor().long().clamp(min(4, side), side)

    return small(height), small(width)


def shrink(pictures: Tensor, sizes: tuple[Tensor, Tensor]) -> Tensor:
    """Reduce each picture to its own size.

    Args:
        pictures: (B, C, H, W).
        sizes: new heights and widths, (B,) int64 each, at most H and W.

    Returns:
        (B, C, H, W), not clipped: the small picture in the upper left corner, its last row and column
        repeated beyond.
    """
    old = [torch.full_like(new, length) for new, length in zip(sizes, pictures.shape[-2:], strict=True)]
    return _resize_both_axes(pictures, old, sizes)


def enlarge(pictures: Tensor, sizes: tuple[Tensor, Tensor]) -> Tensor:
    """The inverse of `shrink`: each picture back to the tensor's size; values beyond `sizes` are ignored."""
    new = [torch.full_like(old, length) for old, length in zip(sizes, pictures.shape[-2:], strict=True)]
    return _resize_both_axes(pictures, sizes, new)


def repeat_edges(pictures: Tensor, sizes: tuple[Tensor, Tensor]) -> Tensor:
    """Replicate the last row and column of each small picture again, after the picture has changed."""
    rows, columns = (
        torch.minimum(torch.arange(length, device=pictures.device)[None], size[:, None] - 1)
        for size, length in zip(sizes, pictures.shape[-2:], strict=True)
    )
    tall = pictures.gather(2, rows[:, None, :, None].expand_as(pictures))
    return tall.gather(3, columns[:, None, None, :].expand_as(pictures))


def _resize_both_axes(
    pictures: Tensor, old: list[Tensor] | tuple[Tensor, ...], new: list[Tensor] | tuple[Tensor, ...]
) -> Tensor:
    down, across = (
        _matrices(size, before, after, pictures.dtype)[:, None]
        for size, before, after in zip(pictures.shape[-2:], old, new, strict=True)
    )
    return down @ pictures @ across.mT


def _matrices(size: int, old: Tensor, new: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, size, size): rows of weights that map `old` samples to `new`; later rows repeat the last one."""
    step = torch.arange(size, device=old.device, dtype=dtype)
    before, after = (side.to(dtype)[:, None, None] for side in (old, new))
    row = torch.minimum(step[None, :, None], after - 1.0)
    column = step[None, None, :]
    position = (row + 0.5) * before / after - 0.5
    stretch = (before / after).clamp(min=1.0)
    # A sample contributes at its own position and at its two mirror images beyond the borders.
    weights = (
        _cubic((position - column) / stretch)
        + _cubic((position + 1.0 + column) / stretch)
        + _cubic((position + 1.0 + column - 2.0 * before) / stretch)
    )
    weights = torch.where(column < before, weights, torch.zeros_like(weights))
    return weights / weights.sum(dim=-1, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' kernel with a = −1/2."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, torch.zeros_like(x)))
