"""Convolutions that double or halve the resolution with StyleGAN2's binomial filter (Karras et al. 2020,
"Analyzing and Improving the Image Quality of StyleGAN", appendix B).

Each has two implementations with the same result. Fused: the kernel is blurred instead of the image, and a
single convolution reads memory once; faster on a GPU. Separate: the image is blurred per channel, and the
convolution keeps its small kernel; a quarter of the multiplications, and on a CPU two to seven times as fast,
forward and backward.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.methods.fusion_bfr.precision import float32_math

_TAPS = 4


def conv_up(x: Tensor, weight: Tensor, *, fused: bool | None = None) -> Tensor:
    """Double the resolution by a transposed convolution and a blur.

    Args:
        x: (B, I, H, W).
        weight: (O, I, k, k), k odd and at most 5.
        fused: one convolution with a blurred kernel; None: fused on a GPU only.

    Returns:
        (B, O, 2H, 2W).
    """
    radius = weight.shape[-1] // 2
    # Zeros are inserted between the pixels, which are a quarter of the result: hence the gain of 4.
    if _use_fused(x, fused):
        # cuDNN computes it phase by phase and never multiplies the inserted zeros.
        kernel = _blur_kernels(weight, gain=4.0).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, stride=2, padding=radius + 1)
    upsampled = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return _blur(upsampled, padding=_TAPS // 2 - radius, gain=4.0)


def conv_down(x: Tensor, weight: Tensor, bias: Tensor | None, *, fused: bool | None = None) -> Tensor:
    """Halve the resolution by a blur, which prevents aliasing, and a convolution of stride 2.

    Args:
        x: (B, I, H, W), H and W even.
        weight: (O, I, k, k), k odd.
        bias: (O,).
        fused: one convolution with a blurred kernel; None: fused on a GPU only.

    Returns:
        (B, O, H/2, W/2).
    """
    size = weight.shape[-1]
    padding = size // 2 + 1
    if _use_fused(x, fused):
        return F.conv2d(x, _blur_kernels(weight), bias, stride=2, padding=padding)
    if size == 1:  # the stride commutes with a 1x1 convolution: blur only the pixels that are kept
        return F.conv2d(_blur(x, padding=padding, stride=2), weight, bias)
    return F.conv2d(_blur(x, padding=padding), weight, bias, stride=2)


def upsample(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W)."""
    kernel = _kernel(x, 4.0)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def _use_fused(x: Tensor, fused: bool | None) -> bool:
    return x.is_cuda if fused is None else fused


def _blur(x: Tensor, *, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    return F.conv2d(x, _kernel(x, gain), stride=stride, padding=padding, groups=x.shape[1])


def _kernel(x: Tensor, gain: float) -> Tensor:
    """(C, 1, 4, 4): the filter for each channel of x."""
    return _binomial(x, gain).expand(x.shape[1], 1, -1, -1)


def _binomial(like: Tensor, gain: float) -> Tensor:
    """(4, 4), its sum is the gain."""
    if torch.compiler.is_compiling():  # there it is a constant
        return _make_binomial(like.device, like.dtype, gain)
    return _cached_binomial(like.device, like.dtype, gain)


@lru_cache(maxsize=16)
def _cached_binomial(device: torch.device, dtype: torch.dtype, gain: float) -> Tensor:
    with torch.inference_mode(False):  # a cached tensor must also be usable in training
        return _make_binomial(device, dtype, gain)


def _make_binomial(device: torch.device, dtype: torch.dtype, gain: float) -> Tensor:
    # 1, 3, 3, 1; computed, since a list would be copied from the CPU, and a GPU waited for.
    tap = torch.arange(_TAPS, device=device, dtype=dtype)
    row = (1.0 + tap * (3.0 - tap)) / 8.0
    return gain * row[:, None] * row


def _blur_kernels(weight: Tensor, gain: float = 1.0) -> Tensor:
    """Every kernel of (O, I, k, k) blurred -> (O, I, k + 3, k + 3)."""
    kernels = weight.flatten(0, 1)[:, None]
    with float32_math(weight):  # rounded once, by the convolution that uses them
        blurred = F.conv2d(kernels, _binomial(weight, gain)[None, None], padding=_TAPS - 1)
    return blurred[:, 0].unflatten(0, weight.shape[:2])
