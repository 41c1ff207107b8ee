"""Structural similarity in the convention of its authors' MATLAB code: on luma, or as the mean over RGB."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma_limited
from lumiface.metrics.pixels import crop_pair

_WINDOW = 11  # side of the Gaussian window, pixels
_SIGMA = 1.5  # its standard deviation, pixels
_K1, _K2 = 0.01, 0.03


def ssim_y(output: Tensor, target: Tensor, *, border: int = 0) -> Tensor:
    r"""SSIM on the Y channel, in [-1, 1]; higher is better and 1 means equal.

    .. math::
        SSIM = \frac{(2 \mu_x \mu_y + C_1) (2 \sigma_{xy} + C_2)}
                    {(\mu_x^2 + \mu_y^2 + C_1) (\sigma_x^2 + \sigma_y^2 + C_2)}

    averaged over the window's positions. Colour space: Y of BT.601 in the limited range [16, 235], not
    rounded, L = 255. Window: Gaussian, 11x11, sigma 1.5. Crop: `border` pixels per side, then only positions
    of the window inside the picture. Pictures are not rounded: apply `quantize` first to measure an 8-bit
    file.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        border: pixels that are cropped from each side.

    Returns:
        (B,) float64, one per picture.

    Raises:
        ValueError: the shapes differ, or less than 11x11 pixels remain.

    Source:
        Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
        section III.B, equation 13.

    Example:
        >>> ssim_y(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.6)).item()
        0.987...
    """
    output, target = crop_pair(output, target, border)
    return _ssim(luma_limited(output.double()), luma_limited(target.double()), peak=255.0).mean(dim=1)


def ssim_rgb(output: Tensor, target: Tensor, *, border: int = 0) -> Tensor:
    r"""Mean of the SSIM of the three RGB channels, in [-1, 1]; higher is better, 1 means equal.

    Colour space: sRGB-encoded RGB, L = 1. Formula, window, crop and rounding as in `ssim_y`.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        border: pixels that are cropped from each side.

    Returns:
        (B,) float64, one per picture.

    Raises:
        ValueError: the shapes differ, or less than 11x11 pixels remain.

    Example:
        >>> ssim_rgb(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.6)).item()
        0.983...
    """
    output, target = crop_pair(output, target, border)
    return _ssim(output.double(), target.double(), peak=1.0).mean(dim=1)


def _ssim(x: Tensor, y: Tensor, peak: float) -> Tensor:
    """(B, C, H, W) each -> (B, C), per channel; `peak` is L."""
    if min(x.shape[-2:]) < _WINDOW:
        raise ValueError(f"SSIM needs {_WINDOW}x{_WINDOW} pixels or more, but has {tuple(x.shape[-2:])}")
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    moments = _blur(torch.cat([x, y, x * x, y * y, x * y]).flatten(0, 1).unsqueeze(1))
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = moments.unflatten(
        0, (5, *x.shape[:2])
    )  # (B, C, 1, h, w) each
    variance_x = mean_xx - mean_x.square()
    variance_y = mean_yy - mean_y.square()
    covariance = mean_xy - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (luminance * structure).mean(dim=(2, 3, 4))


def _blur(maps: Tensor) -> Tensor:
    """Gaussian mean of (N, 1, H, W) at all positions of the window inside: first columns, then rows."""
    offsets = torch.arange(_WINDOW, dtype=maps.dtype, device=maps.device) - _WINDOW // 2
    window = (-0.5 * (offsets / _SIGMA).square()).exp()
    window = window / window.sum()
    return F.conv2d(F.conv2d(maps, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
