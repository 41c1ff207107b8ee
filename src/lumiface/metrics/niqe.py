"""NIQE: distance of a picture's statistics from those of pristine photographs, without a reference.

Mittal, Soundararajan and Bovik, IEEE SPL 2013, "Making a 'completely blind' image quality analyzer". Exact:
features, blocks, second scale and distance of the authors' MATLAB release, with their pristine parameters.
Not exact: their release converts colour pictures by `rgb2gray`; the super-resolution literature measures Y of
`rgb2ycbcr`, which is the default here (`luma="limited"`) and changes a score by some hundredths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lumiface.core.assets import find_asset
from lumiface.metrics.natural_scene import (
    Luma,
    fit_asymmetric,
    halve,
    neighbour_products,
    normalise_contrast,
    rounded_luma,
)

BLOCK = 96
"""Side of a block in pixels, as for the pristine parameters."""


@dataclass(frozen=True, slots=True)
class Pristine:
    """The model of pristine photographs, float64: `mean` (36,), `covariance` (36, 36), `window` (7, 7)."""

    mean: Tensor
    covariance: Tensor
    window: Tensor


def niqe(pictures: Tensor, pristine: Pristine, *, luma: Luma = "limited", block_size: int = BLOCK) -> Tensor:
    r"""Distance from natural photographs, from 0 up; lower is better.

    .. math:: D = \sqrt{(\nu_1 - \nu_2)^T \left(\frac{\Sigma_1 + \Sigma_2}{2}\right)^{-1} (\nu_1 - \nu_2)}

    Colour space: luma of BT.601, rounded to whole numbers. Range: that of 8-bit pictures. Crop: the
    remainder at the right and at the bottom beyond whole blocks. Scales: the picture and
    its half, by antialiased bicubic.

    Args:
        pictures: (B, 3, H, W), RGB in [0, 1], at least two blocks per side: 192x192.
        pristine: on the pictures' device.
        luma: "limited" is Y of `rgb2ycbcr`, the convention of super-resolution; "full" is `rgb2gray`, that
            of the authors' release. Scores differ slightly: state which.
        block_size: even. Less than 96 allows smaller pictures, but then the statistics are not those of the
            pristine parameters, and scores are comparable only with others of the same block size.

    Returns:
        (B,) float64, one per picture; NaN where fewer than two blocks have any structure.

    Raises:
        ValueError: the pictures are too small, or the block size is odd or below 16.

    Source:
        Section II.D, equation 10.
    """
    if block_size < 16 or block_size % 2:
        raise ValueError(f"block_size {block_size} must be even and at least 16")
    rows, columns = (side // block_size for side in pictures.shape[-2:])
    if pictures.ndim != 4 or pictures.shape[1] != 3 or min(rows, columns) < 2:
        raise ValueError(
            f"NIQE needs (B, 3, H, W) of {2 * block_size}x{2 * block_size} pixels or more (two blocks of "
            f"{block_size} per side), but has {tuple(pictures.shape)}"
        )
    grey = rounded_luma(pictures, luma)[..., : rows * block_size, : columns * block_size]
    coarse = halve(grey)
    features = torch.cat(
        [
            _features(normalise_contrast(scale, pristine.window, "replicate"), side)
            for scale, side in ((grey, block_size), (coarse, block_size // 2))
        ],
        dim=2,
    )  # (B, blocks, 36)
    return torch.stack([_distance(picture, pristine) for picture in features])


class NIQE(nn.Module):
    """`niqe` with the authors' pristine parameters.

    Raises:
        AssetMissing: these parameters (12 kB) are not on this machine and cannot be fetched.

    Example:
        >>> ramp = torch.linspace(0, 1, 192).expand(1, 3, 192, 192)
        >>> noise = torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
        >>> NIQE()(0.8 * ramp + 0.2 * noise).item()
        30.03...
    """

    def __init__(self, *, luma: Luma = "limited", block_size: int = BLOCK) -> None:
        super().__init__()
        self.luma: Luma = luma
        self.block_size = block_size
        with np.load(find_asset("niqe_pris_params")) as arrays:
            self.mean = nn.Buffer(torch.from_numpy(arrays["mu_pris_param"][0]), persistent=False)
            self.covariance = nn.Buffer(torch.from_numpy(arrays["cov_pris_param"]), persistent=False)
            self.window = nn.Buffer(torch.from_numpy(arrays["gaussian_window"]), persistent=False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W), RGB in [0, 1] -> (B,) float64; see `niqe`."""
        pristine = Pristine(self.mean, self.covariance, self.window)
        return niqe(pictures, pristine, luma=self.luma, block_size=self.block_size)


def _features(normalised: Tensor, side: int) -> Tensor:
    """(B, 1, H, W) -> (B, blocks, 18): equations 4 to 8 of each block."""
    blocks = normalised.unflatten(-1, (-1, side)).unflatten(-3, (-1, side)).transpose(-2, -3)
    blocks = blocks.flatten(1, 3)  # (B, blocks, side, side)
    whole = fit_asymmetric(blocks)
    left, right = whole.scales
    features = [whole.alpha, (left + right) / 2]
    for products in neighbour_products(blocks):
        fit = fit_asymmetric(products)
        features += [fit.alpha, fit.mean, *fit.scales]
    return torch.stack(features, dim=2)


def _distance(features: Tensor, pristine: Pristine) -> Tensor:
    """(blocks, 36) -> (): equation 10; flat blocks, whose features are NaN, are ignored as in MATLAB."""
    valid = features[~features.isnan().any(dim=1)]
    if len(valid) < 2:
        return features.new_tensor(torch.nan)
    covariance = (pristine.covariance + torch.cov(valid.mT)) / 2
    difference = pristine.mean - features.nanmean(dim=0)
    return (difference @ torch.linalg.pinv(covariance, hermitian=True) @ difference).sqrt()
