"""Window filters whose cost hardly grows with the window's area."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def guided_filter(guide: Tensor, picture: Tensor, radius: int, epsilon: float) -> Tensor:
    """He, Sun and Tang's guided filter (2013): smooth `picture`, except across edges of `guide`.

    A value of the result depends on values up to 2·radius away.

    Args:
        guide: (1, 1, H, W), or (1, C, H, W): then each channel has its own guide. picture: (1, C, H, W); the
            guide itself is smoothed with half of the work.
        radius: of the windows, pixels.
        epsilon: variance of the guide below which a window is treated as flat.
    """
    mean_guide = box_mean(guide, radius)
    variance = box_mean(guide * guide, radius).addcmul_(mean_guide, mean_guide, value=-1.0)
    if picture is guide:
        mean_picture, covariance = mean_guide, variance
    else:
        mean_picture = box_mean(picture, radius)
        covariance = box_mean(guide * picture, radius) - mean_guide * mean_picture
    slope = covariance / (variance.clamp(min=0.0) + epsilon)
    offset = mean_picture - slope * mean_guide
    return box_mean(offset, radius).addcmul_(box_mean(slope, radius), guide)


def box_mean(picture: Tensor, radius: int) -> Tensor:
    """Mean over (2·radius + 1)² windows; at the border over the pixels inside. Shape (B, C, H, W), kept.

    Every sum is made in the same order, wherever its window lies.
    """
    height, width = picture.shape[-2:]
    side, wide = 2 * radius + 1, width + 2 * radius
    padded = F.pad(picture, (radius, radius, radius, radius)).flatten(-2)
    sums = window_sums(window_sums(padded, side, wide), side, 1)
    # Rows one behind the other: the sums of windows that lie in two rows are left out.
    planes = sums.as_strided(picture.shape, (*sums.stride()[:-1], wide, 1))
    return planes.div(_counts(height, radius, picture)[:, None]).div_(_counts(width, radius, picture))


def window_sums(values: Tensor, side: int, step: int) -> Tensor:
    """Sums of `side` values that lie `step` apart, (..., N) -> (..., N - (side - 1)·step).

    Sums over 1, 2, 4, … values are made of one another, and those that `side` consists of are added: the work
    grows with the logarithm of the side. Rows of a picture that lie one behind the other are summed across
    with the step 1, and down with their width as the step: so memory is read in order.
    """
    count = values.shape[-1] - (side - 1) * step
    run, length, start = values, 1, 0
    total: Tensor | None = None
    while True:
        if side & length:
            part = run[..., start * step : start * step + count]
            total = part if total is None else total + part
            start += length
        if 2 * length > side:
            return values if total is None else total
        run = run[..., : -length * step] + run[..., length * step :]
        length *= 2


def _counts(length: int, radius: int, like: Tensor) -> Tensor:
    """(length,): how many of the 2·radius + 1 places around each lie inside."""
    at = torch.arange(length, device=like.device)
    return ((at + radius).clamp(max=length - 1) - (at - radius).clamp(min=0) + 1).to(like.dtype)
