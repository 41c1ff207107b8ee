"""Losses without ground truth: the four of Zero-DCE, and SCI's smoothness of the illumination.

Guo et al.: "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement" (CVPR 2020), §3.3;
Ma et al.: "Toward Fast, Flexible, and Robust Low-Light Image Enhancement" (CVPR 2022), §3.3.

Formulas are the papers'. Their authors' code differs from them (signed instead of absolute differences,
squares instead of absolute values, other constants); where both cannot be had, the paper is followed.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.core.shapes import require_same_pictures
from lumiface.imaging.color import rgb_to_ycbcr


def spatial_consistency_loss(output: Tensor, low: Tensor, region: int = 4) -> Tensor:
    r"""Spatial consistency: neighbouring regions differ as they do in the input (Eq. 4).

    .. math:: L_{spa} = \frac{1}{K} \sum_{i=1}^{K} \sum_{j \in \Omega(i)} (|Y_i - Y_j| - |I_i - I_j|)^2

    with Y and I the mean grey of K regions and :math:`\Omega` the neighbours above, below, left and right.

    Args:
        output, low: (B, 3, H, W), RGB in [0, 1].
        region: side of a region, pixels; regions at the border may be smaller.

    Returns:
        Scalar, in the square of the images' unit.

    Raises:
        ValueError: the two shapes differ.
    """
    require_same_pictures(output, low)
    output_means, low_means = _region_means(output, region), _region_means(low, region)
    regions = output_means.numel()
    pairs = [
        (output_means.diff(dim=dim).abs() - low_means.diff(dim=dim).abs()).square().sum() for dim in (-2, -1)
    ]
    return 2.0 * (pairs[0] + pairs[1]) / regions  # each pair counts for both regions


def exposure_loss(output: Tensor, level: float = 0.6, region: int = 16) -> Tensor:
    r"""Exposure control: each region has the brightness of a well exposed one (Eq. 5).

    .. math:: L_{exp} = \frac{1}{M} \sum_{k=1}^{M} |Y_k - E|

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        level: E, the target mean grey.
        region: side of a region, pixels; regions at the border may be smaller.

    Returns:
        Scalar, in the images' unit.
    """
    return (_region_means(output, region) - level).abs().mean()


def colour_constancy_loss(output: Tensor) -> Tensor:
    r"""Grey world: the three channels have the same mean (Eq. 6).

    .. math:: L_{col} = \sum_{(p,q) \in \{(R,G),(R,B),(G,B)\}} (J^p - J^q)^2

    Args:
        output: (B, 3, H, W), RGB in [0, 1].

    Returns:
        Scalar, in the square of the images' unit, averaged over the batch.
    """
    means = output.mean(dim=(2, 3))  # (B, 3)
    return (means - means.roll(1, dims=1)).square().sum(dim=1).mean()


def illumination_smoothness_loss(maps: Tensor) -> Tensor:
    r"""Smoothness of the curve maps, which preserves the order of brightness (Eq. 7).

    .. math:: L_{tv_A} = \frac{1}{N} \sum_{n=1}^{N} \sum_{c \in RGB} (|\nabla_x A_n^c| + |\nabla_y A_n^c|)^2

    averaged over the pixels that have a neighbour on the right and one below.

    Args:
        maps: (N·B, 3, H, W), the maps of all iterations concatenated; H and W at least 2.

    Returns:
        Scalar, in the square of the maps' unit.
    """
    across = maps[..., :-1, 1:] - maps[..., :-1, :-1]
    down = maps[..., 1:, :-1] - maps[..., :-1, :-1]
    return (across.abs() + down.abs()).square().sum(dim=1).mean()


def edge_aware_smoothness_loss(
    illumination: Tensor, guide: Tensor, sigma: float = 0.1, radius: int = 2
) -> Tensor:
    r"""Smoothness of the illumination, except at edges of the image (SCI, §3.3).

    .. math:: L_s = \sum_i \sum_{j \in N(i)} w_{ij} |x_i - x_j|, \quad
              w_{ij} = \exp\left(-\frac{\sum_c (g_{i,c} - g_{j,c})^2}{2 \sigma^2}\right)

    with N the window of 5x5 pixels and c the channels of `guide` in YUV. Each of the 24 offsets is averaged
    over the pixels that have it, so that the loss does not depend on the image's size.

    Args:
        illumination: (B, 3, H, W), x.
        guide: (B, 3, H, W), RGB, the image that x was estimated from.
        sigma: colour difference that counts as an edge.
        radius: of the window, pixels.

    Returns:
        Scalar, in the illumination's unit.

    Raises:
        ValueError: the two shapes differ.
    """
    require_same_pictures(illumination, guide)
    colours = rgb_to_ycbcr(guide)
    total = illumination.new_zeros(())
    offsets = [(0, x) for x in range(1, radius + 1)]
    offsets += [(y, x) for y in range(1, radius + 1) for x in range(-radius, radius + 1)]
    for y, x in offsets:  # half of the window; the other half has the same pairs
        edge = (colours - _shifted(colours, y, x)).square().sum(dim=1, keepdim=True)
        step = (illumination - _shifted(illumination, y, x)).abs().sum(dim=1, keepdim=True)
        inside = _inside(step * (-edge / (2.0 * sigma**2)).exp(), y, x)
        total = total + 2.0 * inside.mean()
    return total


class SpatialConsistencyLoss(nn.Module):
    """`spatial_consistency_loss` as a module."""

    def __init__(self, region: int = 4) -> None:
        super().__init__()
        self.region = region

    def forward(self, output: Tensor, low: Tensor) -> Tensor:
        return spatial_consistency_loss(output, low, self.region)


class ExposureLoss(nn.Module):
    """`exposure_loss` as a module."""

    def __init__(self, level: float = 0.6, region: int = 16) -> None:
        super().__init__()
        self.level, self.region = level, region

    def forward(self, output: Tensor) -> Tensor:
        return exposure_loss(output, self.level, self.region)


class ColourConstancyLoss(nn.Module):
    """`colour_constancy_loss` as a module."""

    def forward(self, output: Tensor) -> Tensor:
        return colour_constancy_loss(output)


class IlluminationSmoothnessLoss(nn.Module):
    """`illumination_smoothness_loss` as a module."""

    def forward(self, maps: Tensor) -> Tensor:
        return illumination_smoothness_loss(maps)


class EdgeAwareSmoothnessLoss(nn.Module):
    """`edge_aware_smoothness_loss` as a module."""

    def __init__(self, sigma: float = 0.1, radius: int = 2) -> None:
        super().__init__()
        self.sigma, self.radius = sigma, radius

    def forward(self, illumination: Tensor, guide: Tensor) -> Tensor:
        return edge_aware_smoothness_loss(illumination, guide, self.sigma, self.radius)


def _region_means(images: Tensor, side: int) -> Tensor:
    """(B, 3, H, W) -> (B, 1, ⌈H/side⌉, ⌈W/side⌉), mean grey of each region."""
    return F.avg_pool2d(images.mean(dim=1, keepdim=True), side, ceil_mode=True)


def _shifted(maps: Tensor, y: int, x: int) -> Tensor:
    """The neighbour y below and x to the right of each pixel; cyclic at the border, cropped later."""
    return maps.roll((-y, -x), dims=(-2, -1))


def _inside(maps: Tensor, y: int, x: int) -> Tensor:
    """Only the pixels whose neighbour at (y, x), y >= 0, lies in the image."""
    height, width = maps.shape[-2:]
    return maps[..., : height - y, max(-x, 0) : width - max(x, 0)]
