"""What the measures do to pictures first: round to 8 bits, cut the rim off."""

from __future__ import annotations

from torch import Tensor

from lumiface.shapes import require_same_pictures


def quantise(pictures: Tensor) -> Tensor:
    """Clip to [0, 1] and round to the 256 levels of an 8-bit file: what a viewer of the saved picture sees.

    Args:
        pictures: (..., H, W), nominally in [0, 1].

    Returns:
        Same shape and dtype, each value k / 255, halves rounded up as when a file is written; NaN stays NaN.

    Example:
        >>> quantise(torch.tensor([-0.1, 0.4999, 2.0])) * 255
        tensor([  0., 127., 255.])
    """
    return (pictures.clamp(0.0, 1.0) * 255.0 + 0.5).floor() / 255.0


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
