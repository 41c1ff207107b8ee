"""Rounding to 8 or 16 bits: clipped, half up, as when a file is written. The only implementation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.imaging.strips import strips


def to_uint8(rgb: Tensor) -> Tensor:
    """[0, 1] → 0..255, clipped, rounding half up (not half to even, as `round` does). Any shape."""
    return rgb.mul(255.0).add_(0.5).floor_().clamp_(0.0, 255.0).to(torch.uint8)


def reduce_to_uint8(samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """0..65535 → 0..255, rounding half up, in exact integer arithmetic. Any shape."""
    return ((samples.astype(np.uint32) * 510 + 65535) // 131070).astype(np.uint8)


def from_uint8(picture: npt.NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 → (1, 3, H, W) float32 in [0, 1]."""
    return torch.tensor(picture).permute(2, 0, 1)[None].to(torch.float32).div_(255.0).contiguous()


def to_samples(planes: Tensor, dtype: type[np.unsignedinteger[Any]]) -> npt.NDArray[np.unsignedinteger[Any]]:
    """(C, H, W) in [0, 1] → (H, W, C) integers of `dtype`, clipped, rounding half up."""
    channels, height, width = planes.shape
    samples = np.empty((height, width, channels), dtype)
    most = float(np.iinfo(dtype).max)
    for strip in strips(height, width):
        scaled = strip.place(planes).detach().float() * most
        clipped = scaled.add_(0.5).floor_().clamp_(0.0, most)
        samples[strip.top : strip.bottom] = clipped.permute(1, 2, 0).cpu().numpy()
    return samples


def from_samples(samples: npt.NDArray[np.unsignedinteger[Any]]) -> Tensor:
    """(H, W, C) integers → (1, C, H, W) float32 in [0, 1]: divided by the largest of their type."""
    height, width, channels = samples.shape
    planes = torch.empty(1, channels, height, width)
    most = float(np.iinfo(samples.dtype).max)
    for strip in strips(height, width):
        values = torch.from_numpy(samples[strip.top : strip.bottom].astype(np.float32))
        torch.div(values.permute(2, 0, 1)[None], most, out=strip.place(planes))
    return planes


def quantize(pictures: Tensor) -> Tensor:
    """Clip to [0, 1] and round to the 256 levels of an 8-bit file, as if saved and read again.

    Args:
        pictures: (..., H, W), nominally in [0, 1].

    Returns:
        Same shape and dtype, each value k / 255, halves rounded up as when a file is written; NaN stays NaN.

    Example:
        >>> quantize(torch.tensor([-0.1, 0.4999, 2.0])) * 255
        tensor([  0., 127., 255.])
    """
    return (pictures.clamp(0.0, 1.0) * 255.0 + 0.5).floor() / 255.0
