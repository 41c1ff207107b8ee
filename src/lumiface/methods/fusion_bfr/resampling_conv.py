"""Convolutions that double or halve the resolution with StyleGAN2's binomial filter (Karras et al. 2020,
"Analyzing and Improving the Image Quality of StyleGAN", appendix B).

Each has two implementations with the same result. Fused: the kernel is blurred instead of the image, and a
single convolution reads memory once; faster on a GPU. Separate: the image is blurred per channel, and the
convolution keeps its small kernel; a quarter of the multiplications, and on a CPU two to seven times as fast,
forward and backward.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.constants import cached_constant
from lumiface.methods.fusion_bfr.precision import float32_math

_BINOMIAL = (0.125, 0.375, 0.375, 0.125)
_TAPS = len(_BINOMIAL)


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
    return _binomial(x.device, x.dtype, gain).expand(x.shape[1], 1, -1, -1)


@cached_constant
def _binomial(device: torch.device, dtype: torch.dtype, gain: float) -> Tensor:
    """(4, 4), its sum is the gain."""
    row = torch.tensor(_BINOMIAL, device=device, dtype=dtype)
    return gain * row[:, None] * row


def _blur_kernels(weight: Tensor, gain: float = 1.0) -> Tensor:
    """Every kernel of (O, I, k, k) blurred -> (O, I, k + 3, k + 3)."""
    if torch.compiler.is_compiling():  # one kernel, together with what else is done to the weights
        return _blur_by_slices(weight, gain)
    kernels = weight.flatten(0, 1)[:, None]
    binomial = _binomial(weight.device, weight.dtype, gain)[None, None]
    with float32_math(weight):  # rounded once, by the convolution that uses them
        blurred = F.conv2d(kernels, binomial, padding=_TAPS - 1)
    return blurred[:, 0].unflatten(0, weight.shape[:2])


def _blur_by_slices(weight: Tensor, gain: float) -> Tensor:
    """The same as a sum of shifted kernels."""
    blurred = gain * weight
    for axis in (-2, -1):
        around = (0, 0, _TAPS - 1, _TAPS - 1) if axis == -2 else (_TAPS - 1, _TAPS - 1, 0, 0)
        padded, length = F.pad(blurred, around), blurred.shape[axis] + _TAPS - 1
        shifted = [tap * padded.narrow(axis, start, length) for start, tap in enumerate(_BINOMIAL)]
        blurred = sum(shifted[1:], shifted[0])
    return blurred
