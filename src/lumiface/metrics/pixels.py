"""What the measures do to pictures first: round to 8 bits, take the luma, cut the rim off."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.shapes import require_same_pictures

# The weights of BT.601 in its limited range, as MATLAB's rgb2ycbcr has them: black is 16, white is 235.
_LUMA = (65.481, 128.553, 24.966)
_BLACK = 16.0


def quantise(pictures: Tensor) -> Tensor:
    """Clip to [0, 1] and round to the 256 levels of an 8-bit file: what a viewer of the saved picture sees.

    Args:
        pictures: (..., H, W), nominally in [0, 1].

    Returns:
        Same shape and dtype, each value k / 255.

    Example:
        >>> quantise(torch.tensor([-0.1, 0.4999, 2.0])) * 255
        tensor([  0., 127., 255.])
    """
    return (pictures.clamp(0.0, 1.0) * 255.0).round() / 255.0


def luma(pictures: Tensor) -> Tensor:
    """Luma Y of BT.601 in the limited range, without rounding.

    Args:
        pictures: (B, 3, H, W), RGB in [0, 1].

    Returns:
        (B, 1, H, W), float64, in [16, 235].

    Source:
        MATLAB, rgb2ycbcr on floating-point pictures, times 255.

    Example:
        >>> luma(torch.ones(1, 3, 1, 1)).item()
        235.0
    """
    weights = torch.tensor(_LUMA, dtype=torch.float64, device=pictures.device)
    return (pictures.double() * weights[:, None, None]).sum(dim=1, keepdim=True) + _BLACK


def crop_border(pictures: Tensor, border: int) -> Tensor:
    """Cut `border` pixels off each of the four sides of (..., H, W).

    Raises:
        ValueError: `border` is negative or leaves nothing.
    """
    height, width = pictures.shape[-2:]
    if border < 0 or 2 * border >= min(height, width):
        raise ValueError(f"border {border} must be at least 0 and below half of {height}x{width}")
    return pictures[..., border : height - border, border : width - border]


def compared(output: Tensor, target: Tensor, border: int) -> tuple[Tensor, Tensor]:
    """Both pictures with their borders off, once their shapes are known to agree."""
    require_same_pictures(output, target)
    return crop_border(output, border), crop_border(target, border)
