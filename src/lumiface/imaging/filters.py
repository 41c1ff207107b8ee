"""Window filters whose cost does not grow with the window's area."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def guided_filter(guide: Tensor, picture: Tensor, radius: int, epsilon: float) -> Tensor:
    """He, Sun and Tang's guided filter (2013): smooth `picture`, except across edges of `guide`.

    Args:
        guide: (1, 1, H, W), or (1, C, H, W): then each channel has its own guide. picture: (1, C, H, W).
        radius: of the windows, pixels.
        epsilon: variance of the guide below which a window is treated as flat.
    """
    mean_guide, mean_picture = box_mean(guide, radius), box_mean(picture, radius)
    covariance = box_mean(guide * picture, radius) - mean_guide * mean_picture
    variance = (box_mean(guide * guide, radius) - mean_guide * mean_guide).clamp(min=0.0)
    slope = covariance / (variance + epsilon)
    offset = mean_picture - slope * mean_guide
    return box_mean(slope, radius) * guide + box_mean(offset, radius)


def box_mean(picture: Tensor, radius: int) -> Tensor:
    """Mean over (2·radius + 1)² windows; at the border over the pixels inside. Shape (1, C, H, W), kept."""
    side = 2 * radius + 1
    return F.avg_pool2d(
        F.avg_pool2d(picture, (side, 1), stride=1, padding=(radius, 0), count_include_pad=False),
        (1, side), stride=1, padding=(0, radius), count_include_pad=False,
    )  # fmt: skip
