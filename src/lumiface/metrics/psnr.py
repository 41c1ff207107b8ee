"""Peak signal-to-noise ratio, on luma (the papers' convention) or on RGB."""

from __future__ import annotations

from torch import Tensor

from lumiface.imaging.color import luma_limited
from lumiface.metrics.pixels import crop_pair


def psnr_y(output: Tensor, target: Tensor, *, border: int = 0) -> Tensor:
    r"""PSNR in dB on the Y channel, :math:`10 \log_{10} (255^2 / MSE)`; higher is better.

    Colour space: Y of BT.601 in the limited range [16, 235], as in MATLAB's rgb2ycbcr, not rounded. Peak:
    255. Crop: `border` pixels per side, none by default. Pictures are not rounded: apply `quantize` first
    to measure an 8-bit file.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        border: pixels that are cropped from each side.

    Returns:
        (B,) float64 dB, one per picture; infinite where the two are equal.

    Raises:
        ValueError: the shapes differ, or the border leaves nothing.

    Example:
        >>> psnr_y(torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.6)).item()
        21.321...
    """
    output, target = crop_pair(output, target, border)
    return _psnr(luma_limited(output.double()) - luma_limited(target.double()), peak=255.0)


def psnr_rgb(output: Tensor, target: Tensor, *, border: int = 0) -> Tensor:
    r"""PSNR in dB over the three RGB channels together, :math:`10 \log_{10} (1 / MSE)`; higher is better.

    Colour space: sRGB-encoded RGB. Peak: 1. Crop: `border` pixels per side, none by default. Pictures are
    not rounded: apply `quantize` first to measure an 8-bit file.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        border: pixels that are cropped from each side.

    Returns:
        (B,) float64 dB, one per picture; infinite where the two are equal.

    Raises:
        ValueError: the shapes differ, or the border leaves nothing.

    Example:
        >>> psnr_rgb(torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.75)).item()
        12.041...
    """
    output, target = crop_pair(output, target, border)
    return _psnr(output.double() - target.double(), peak=1.0)


def _psnr(difference: Tensor, peak: float) -> Tensor:
    return 10.0 * (peak**2 / difference.square().mean(dim=(1, 2, 3))).log10()
