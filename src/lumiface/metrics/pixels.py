"""What the measures do to pictures first: round to 8 bits, cut the rim off."""

from __future__ import annotations

from torch import Tensor

from lumiface.core.shapes import require_same_pictures


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
