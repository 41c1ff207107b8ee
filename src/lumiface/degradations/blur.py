"""Gaussian blur, round or drawn out along a line, another one for each picture of a batch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_SHARP = 0.05
"""Below this a kernel's neighbours are 0 in float64, too; a smaller deviation would divide by nothing."""


def gaussian_kernels(sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, radius: int) -> Tensor:
    """Normalised kernels of anisotropic Gaussians, sampled at the pixels' centres.

    `exp(-(u² / σ_x² + v² / σ_y²) / 2)` with u, v the pixel's place along axes turned by `angle`.

    Args:
        sigma_x, sigma_y: (B,) standard deviations along the two axes, pixels; 0 leaves a picture as it is.
        angle: (B,) of the first axis, radians, from the picture's right towards its bottom.
        radius: of the square that holds the kernel, pixels; three deviations lose under 1 % of the weight.

    Returns:
        (B, 2·radius + 1, 2·radius + 1), each summing to 1.
    """
    place = torch.arange(-radius, radius + 1, device=angle.device, dtype=angle.dtype)
    x, y = place[None, None, :], place[None, :, None]
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along = (cosine * x + sine * y) / sigma_x.clamp(min=_SHARP)[:, None, None]
    across = (cosine * y - sine * x) / sigma_y.clamp(min=_SHARP)[:, None, None]
    weights = (-0.5 * (along.square() + across.square())).exp()
    return weights / weights.sum(dim=(1, 2), keepdim=True)


def blur(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Filter each picture with its own kernel; beyond the rim the edge is repeated.

    Args:
        pictures: (B, C, H, W), any values.
        kernels: (B, k, k), k odd, same type and device.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: another number of kernels than of pictures, or an even side.
    """
    count, channels = pictures.shape[:2]
    side = kernels.shape[-1]
    if kernels.shape != (count, side, side) or side % 2 == 0:
        raise ValueError(f"need {count} kernels with an odd side, got {tuple(kernels.shape)}")
    radius = side // 2
    padded = F.pad(pictures, (radius, radius, radius, radius), mode="replicate")
    weights = kernels.repeat_interleave(channels, dim=0)[:, None]
    # One group a plane: (1, B·C, ...), since a convolution has one set of weights for all of its batch.
    planes = F.conv2d(padded.flatten(0, 1)[None], weights, groups=count * channels)
    return planes[0].unflatten(0, (count, channels))


def blur_radius(sigma: float) -> int:
    """The kernel radius, pixels, that holds deviations up to `sigma`: three of them."""
    return math.ceil(3.0 * sigma)
