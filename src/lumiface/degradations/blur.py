"""Gaussian blur, isotropic or anisotropic, with one kernel per picture of a batch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_FFT_SIDE = 15
"""Side of a kernel from which on a GPU filters by FFT: a kernel of 61 x 61 takes 3721 products per value, the
transforms some 200."""

_FFT_MULTIPLE = 32
"""Pictures are filled up to a multiple of it, pixels: transforms of lengths without large primes are fast."""

_SHARP = 0.05
"""Smallest standard deviation used: at it all weights but the centre's are 0 even in float64; 0 would divide
by zero."""


def gaussian_kernels(sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, radius: int) -> Tensor:
    """Normalised kernels of anisotropic Gaussians, sampled at the pixels' centres.

    `exp(-(u² / σ_x² + v² / σ_y²) / 2)` with u, v the pixel's coordinates along axes rotated by `angle`.

    Args:
        sigma_x, sigma_y: (B,) standard deviations along the two axes, pixels; 0 leaves a picture unchanged.
        angle: (B,) of the first axis, radians, from the picture's right towards its bottom.
        radius: of the kernel, pixels; with three standard deviations less than 1 % of the weight is lost.

    Returns:
        (B, 2·radius + 1, 2·radius + 1), each summing to 1.
    """
    offset = torch.arange(-radius, radius + 1, device=angle.device, dtype=angle.dtype)
    x, y = offset[None, None, :], offset[None, :, None]
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along = (cosine * x + sine * y) / sigma_x.clamp(min=_SHARP)[:, None, None]
    across = (cosine * y - sine * x) / sigma_y.clamp(min=_SHARP)[:, None, None]
    weights = (-0.5 * (along.square() + across.square())).exp()
    return weights / weights.sum(dim=(1, 2), keepdim=True)


def blur(pictures: Tensor, kernels: Tensor, *, fft: bool | None = None) -> Tensor:
    """Filter each picture with its own kernel; edges are replicated beyond the border.

    Args:
        pictures: (B, C, H, W), any values.
        kernels: (B, k, k), k odd, same type and device.
        fft: by the Fourier transform, equal up to rounding; None: on a GPU with large kernels only.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: the numbers of kernels and pictures differ, or the kernel's side is even.
    """
    count, channels = pictures.shape[:2]
    side = kernels.shape[-1]
    if kernels.shape != (count, side, side) or side % 2 == 0:
        raise ValueError(f"need {count} kernels with an odd side, got {tuple(kernels.shape)}")
    radius = side // 2
    padded = F.pad(pictures, (radius, radius, radius, radius), mode="replicate")
    if pictures.is_cuda and side >= _FFT_SIDE if fft is None else fft:
        return _filter_by_fft(padded, kernels)
    weights = kernels.repeat_interleave(channels, dim=0)[:, None]
    # One group per plane: (1, B·C, ...), since a convolution has one set of weights for the whole batch.
    planes = F.conv2d(padded.flatten(0, 1)[None], weights, groups=count * channels)
    return planes[0].unflatten(0, (count, channels))


def _filter_by_fft(padded: Tensor, kernels: Tensor) -> Tensor:
    """Padded pictures (B, C, H + k - 1, W + k - 1) -> (B, C, H, W).

    The products are circular, but wrap around into the rows and columns alone that are cut off.
    """
    height, width = padded.shape[-2:]
    side = kernels.shape[-1]
    size = [-(-length // _FFT_MULTIPLE) * _FFT_MULTIPLE for length in (height, width)]
    spectrum = torch.fft.rfft2(padded, s=size) * torch.fft.rfft2(kernels, s=size).conj()[:, None]
    filtered = torch.fft.irfft2(spectrum, s=size)
    return filtered[..., : height - side + 1, : width - side + 1]


def blur_radius(sigma: float) -> int:
    """The kernel radius, pixels, for standard deviations up to `sigma`: three of them."""
    return math.ceil(3.0 * sigma)
