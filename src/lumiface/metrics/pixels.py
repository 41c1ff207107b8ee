"""Cropping the borders of pictures before they are compared."""

from __future__ import annotations

from torch import Tensor

from lumiface.core.shapes import require_same_pictures


def crop_border(pictures: Tensor, border: int) -> Tensor:
    """Crop `border` pixels from each side of (..., H, W).

    Raises:
        ValueError: `border` is negative or leaves nothing.
    """
    height, width = pictures.shape[-2:]
    if border < 0 or 2 * border >= min(height, width):
        raise ValueError(f"border {border} must be at least 0 and below half of {height}x{width}")
    return pictures[..., border : height - border, border : width - border]


def crop_pair(output: Tensor, target: Tensor, border: int) -> tuple[Tensor, Tensor]:
    """Both pictures without their borders, after a check that their shapes are equal."""
    require_same_pictures(output, target)
    return crop_border(output, border), crop_border(target, border)
