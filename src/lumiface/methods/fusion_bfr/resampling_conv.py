"""Convolutions that double or halve the size, by the binomial filter that StyleGAN2 resamples with (Karras et
al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix B).

Each is done in one of two ways, with the same result. As one: the kernel is blurred instead of the picture,
and a single convolution reads memory once; a GPU has multiplications to spare. Apart: the picture is blurred
channel by channel, and the convolution keeps its small kernel; a quarter of the multiplications, and on a CPU
two to seven times as fast, forward and backward.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_BINOMIAL = (1.0, 3.0, 3.0, 1.0)
_TAPS = len(_BINOMIAL)


def conv_up(x: Tensor, weight: Tensor, *, as_one: bool | None = None) -> Tensor:
    """Double the size by a transposed convolution and a blur.

    Args:
        x: (B, I, H, W).
        weight: (O, I, k, k), k odd and at most 5.
        as_one: None for what suits the device.

    Returns:
        (B, O, 2H, 2W).
    """
    reach = weight.shape[-1] // 2
    # Of zeros and pixels, a quarter is pixels: hence the 4.
    if _suits(x, as_one):
        # cuDNN runs it phase by phase, so that none of the zeros between the pixels is ever multiplied.
        kernel = 4.0 * _blurred(weight).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, stride=2, padding=reach + 1)
    spread = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return _blur(spread, padding=_TAPS // 2 - reach, gain=4.0)


def conv_down(x: Tensor, weight: Tensor, bias: Tensor | None, *, as_one: bool | None = None) -> Tensor:
    """Halve the size by a blur, so that nothing aliases, and a convolution of stride 2.

    Args:
        x: (B, I, H, W), H and W even.
        weight: (O, I, k, k), k odd.
        bias: (O,).
        as_one: None for what suits the device.

    Returns:
        (B, O, H/2, W/2).
    """
    size = weight.shape[-1]
    padding = size // 2 + 1
    if _suits(x, as_one):
        return F.conv2d(x, _blurred(weight), bias, stride=2, padding=padding)
    if size == 1:  # the blur itself may skip what the convolution would
        return F.conv2d(_blur(x, padding=padding, stride=2), weight, bias)
    return F.conv2d(_blur(x, padding=padding), weight, bias, stride=2)


def enlarge(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W)."""
    kernel = _kernel(x, 4.0)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def _suits(x: Tensor, as_one: bool | None) -> bool:
    return x.is_cuda if as_one is None else as_one


def _blur(x: Tensor, *, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    return F.conv2d(x, _kernel(x, gain), stride=stride, padding=padding, groups=x.shape[1])


def _kernel(x: Tensor, gain: float) -> Tensor:
    """(C, 1, 4, 4): the filter for each channel of x."""
    return (gain * _binomial(x)).expand(x.shape[1], 1, -1, -1)


def _binomial(like: Tensor) -> Tensor:
    """(4, 4), sum 1."""
    row = like.new_tensor(_BINOMIAL) / sum(_BINOMIAL)
    return row[:, None] * row


def _blurred(weight: Tensor) -> Tensor:
    """Every kernel of (O, I, k, k) blurred -> (O, I, k + 3, k + 3)."""
    kernels = weight.flatten(0, 1)[:, None]
    spread = F.conv2d(kernels, _binomial(weight)[None, None], padding=_TAPS - 1)
    return spread[:, 0].unflatten(0, weight.shape[:2])
