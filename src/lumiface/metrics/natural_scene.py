"""Natural scene statistics, shared by NIQE and BRISQUE.

Mittal, Moorthy and Bovik, IEEE TIP 2012 ("BRISQUE"), sections II.A and II.B; Mittal, Soundararajan and Bovik,
IEEE SPL 2013 ("NIQE"), section II. Where the papers do not specify it, this follows the authors' MATLAB
releases: the grid of shape parameters, and products that wrap around at the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.degradations.resample import resize
from lumiface.imaging.color import luma, luma_limited

Luma = Literal["limited", "full"]
"""Y of BT.601 in [16, 235] (MATLAB's `rgb2ycbcr`), or in [0, 255] (its `rgb2gray`)."""

WINDOW_SIDE = 7  # pixels
_WINDOW_SIGMA = 7 / 6  # pixels
_SHAPES = (0.2, 10.0, 0.001)  # first, last and step of the grid of shapes


@dataclass(frozen=True, slots=True)
class AsymmetricGaussian:
    """Asymmetric generalised Gaussians: shapes `alpha`, deviations `left` and `right`; (...) each."""

    alpha: Tensor
    left: Tensor
    right: Tensor

    @property
    def scales(self) -> tuple[Tensor, Tensor]:
        r""":math:`\beta = \sigma \sqrt{\Gamma(1/\alpha) / \Gamma(3/\alpha)}`, left and right."""
        factor = ((1 / self.alpha).lgamma() / 2 - (3 / self.alpha).lgamma() / 2).exp()
        return self.left * factor, self.right * factor

    @property
    def mean(self) -> Tensor:
        r""":math:`\eta = (\beta_r - \beta_l) \Gamma(2/\alpha) / \Gamma(1/\alpha)`."""
        left, right = self.scales
        return (right - left) * ((2 / self.alpha).lgamma() - (1 / self.alpha).lgamma()).exp()


def rounded_luma(pictures: Tensor, kind: Luma) -> Tensor:
    """(B, 3, H, W) RGB in [0, 1] -> (B, 1, H, W) float64: luma, rounded to whole numbers."""
    exact = pictures.double()
    grey = luma_limited(exact) if kind == "limited" else luma(exact) * 255.0
    return (grey + 0.5).floor()


def gaussian_window() -> Tensor:
    """(7, 7) float64, sum 1: the Gaussian window of local means, sigma 7/6."""
    offsets = torch.arange(WINDOW_SIDE, dtype=torch.float64) - WINDOW_SIDE // 2
    row = (-0.5 * (offsets / _WINDOW_SIGMA).square()).exp()
    window = row[:, None] * row[None, :]
    return window / window.sum()


def normalise_contrast(grey: Tensor, window: Tensor, padding: Literal["replicate", "zeros"]) -> Tensor:
    r"""Values minus their local mean, over local contrast: :math:`(I - \mu) / (\sigma + 1)`, equation 1.

    Args:
        grey: (B, 1, H, W), 0..255.
        window: (7, 7), of the local mean and deviation.
        padding: beyond the border: the outermost pixels (NIQE) or black (BRISQUE).
    """
    widths = (WINDOW_SIDE // 2,) * 4
    padded = F.pad(grey, widths, mode="replicate") if padding == "replicate" else F.pad(grey, widths)
    mean = F.conv2d(padded, window[None, None])
    variance = F.conv2d(padded.square(), window[None, None]) - mean.square()
    return (grey - mean) / (variance.abs().sqrt() + 1.0)


def neighbour_products(maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each value times its neighbour: right, below, on both diagonals; (..., H, W) each, wrapped around."""
    shifts = ((0, 1), (1, 0), (1, 1), (1, -1))
    right, below, falling, rising = (maps * maps.roll(shift, dims=(-2, -1)) for shift in shifts)
    return right, below, falling, rising


def fit_asymmetric(values: Tensor) -> AsymmetricGaussian:
    """Moment matching of (..., H, W) -> (...).

    Where one sign has no value (a flat part of a picture), its deviation is NaN and the shape 0.2, as in the
    authors' code.

    Source:
        Lasmar, Stitou and Berthoumieu, ICIP 2009, as the papers cite it.
    """
    samples = values.flatten(-2)
    squares = samples.square()
    is_left, is_right = samples < 0, samples > 0
    left = ((squares * is_left).sum(-1) / is_left.sum(-1)).sqrt()
    right = ((squares * is_right).sum(-1) / is_right.sum(-1)).sqrt()
    ratio = left / right
    moments = samples.abs().mean(-1).square() / squares.mean(-1)
    target = moments * (ratio**3 + 1) * (ratio + 1) / (ratio.square() + 1).square()
    shapes = _shapes(samples)
    return AsymmetricGaussian(shapes[_nearest(_moment_ratio(shapes), target)], left, right)


def fit_symmetric(values: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and variance of a generalised Gaussian with mean 0: (..., H, W) -> (...), (...).

    Source:
        Sharifi and Leon-Garcia, IEEE TCSVT 1995, as the papers cite it.
    """
    samples = values.flatten(-2)
    variance = samples.square().mean(-1)
    target = variance / samples.abs().mean(-1).square()
    shapes = _shapes(samples).flip(0)
    return shapes[_nearest(1 / _moment_ratio(shapes), target)], variance


def halve(grey: Tensor) -> Tensor:
    """Half the size (rounded up) by antialiased bicubic as in MATLAB; (B, 1, H, W), not clipped.

    An odd side is first padded by one pixel: its last row or column differs slightly from MATLAB's.
    """
    height, width = grey.shape[-2:]
    even = F.pad(grey, (0, width % 2, 0, height % 2), mode="replicate")
    return resize(even, (even.shape[-2] // 2, even.shape[-1] // 2))


def _shapes(like: Tensor) -> Tensor:
    first, last, step = _SHAPES
    count = round((last - first) / step) + 1
    return first + step * torch.arange(count, dtype=like.dtype, device=like.device)


def _moment_ratio(shapes: Tensor) -> Tensor:
    r""":math:`\Gamma(2/\alpha)^2 / (\Gamma(1/\alpha) \Gamma(3/\alpha))`; increases with the shape."""
    return (2 * (2 / shapes).lgamma() - (1 / shapes).lgamma() - (3 / shapes).lgamma()).exp()


def _nearest(table: Tensor, values: Tensor) -> Tensor:
    """Index of the entry of the ascending `table` nearest to each of `values`; 0 for NaN."""
    values = values.contiguous()
    above = torch.searchsorted(table, values).clamp(1, len(table) - 1)
    below_is_nearer = values - table[above - 1] <= table[above] - values
    index = torch.where(below_is_nearer, above - 1, above)
    return torch.where(values.isnan(), 0, index)
