"""Structural similarity on luma, in the convention of its authors' MATLAB code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.image import luma_limited
from lumiface.metrics.pixels import compared

_WINDOW = 11  # side of the Gaussian window, pixels
_SIGMA = 1.5  # its standard deviation, pixels
_C1 = (0.01 * 255) ** 2  # (K1 L)^2
_C2 = (0.03 * 255) ** 2  # (K2 L)^2


def ssim_y(output: Tensor, target: Tensor, *, border: int = 0) -> Tensor:
    r"""SSIM on the Y channel, in [-1, 1]; higher is better and 1 means equal.

    .. math::
        SSIM = \frac{(2 \mu_x \mu_y + C_1) (2 \sigma_{xy} + C_2)}
                    {(\mu_x^2 + \mu_y^2 + C_1) (\sigma_x^2 + \sigma_y^2 + C_2)}

    averaged over the window's places. Colour space: Y of BT.601 in the limited range [16, 235], not
    rounded, L = 255. Window: Gaussian, 11x11, sigma 1.5. Crop: `border` pixels a side, then only the places
    where the window lies wholly inside. Pictures are measured as given: put `quantise` before to measure
    what an 8-bit file holds.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        border: pixels that are left out at each side.

    Returns:
        (B,) float64, one a picture.

    Raises:
        ValueError: the shapes differ, or less than 11x11 pixels are left.

    Source:
        Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
        section III.B, equation 13.

    Example:
        >>> ssim_y(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.6)).item()
        0.987...
    """
    output, target = compared(output, target, border)
    if min(output.shape[-2:]) < _WINDOW:
        raise ValueError(f"SSIM needs {_WINDOW}x{_WINDOW} pixels or more, but has {tuple(output.shape[-2:])}")
    x, y = luma_limited(output.double()), luma_limited(target.double())
    batch = x.shape[0]
    moments = _blur(torch.cat([x, y, x * x, y * y, x * y]))  # (5 B, 1, H - 10, W - 10)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = moments.split(batch)
    variance_x = mean_xx - mean_x.square()
    variance_y = mean_yy - mean_y.square()
    covariance = mean_xy - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def _blur(maps: Tensor) -> Tensor:
    """Gaussian mean of (N, 1, H, W) at the places where the window lies inside: first columns, then rows."""
    offsets = torch.arange(_WINDOW, dtype=maps.dtype, device=maps.device) - _WINDOW // 2
    window = (-0.5 * (offsets / _SIGMA).square()).exp()
    window = window / window.sum()
    return F.conv2d(F.conv2d(maps, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
