"""A large picture of 8 bits in a quarter of the memory, while its floats are overwritten."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from lumiface.imaging.quantize import to_uint8
from lumiface.imaging.strips import strips


class EightBits:
    """Stands in for a picture (1, 3, H, W) where parts of it are read: `picture[..., 10:20, 30:40]` is a new
    float tensor with the very values of the picture.

    Args:
        levels: (1, 3, H, W) uint8.
    """

    def __init__(self, levels: Tensor) -> None:
        self.levels = levels
        self.shape, self.device, self.dtype = levels.shape, levels.device, torch.float32

    def __getitem__(self, at: Any) -> Tensor:
        return self.levels[at].to(self.dtype).div_(255.0)


def as_eight_bits(rgb: Tensor) -> Tensor | None:
    """An `EightBits` of a picture, None if its values are not all levels of 8 bits.

    It is declared a tensor: what it is given to reads parts of it, and takes shape, device and dtype.
    """
    levels = torch.empty(rgb.shape, dtype=torch.uint8, device=rgb.device)
    result = EightBits(levels)
    for strip in strips(rgb.shape[-2], rgb.shape[-1]):
        part = strip.place(rgb)
        strip.place(levels).copy_(to_uint8(part))
        if not torch.equal(result[..., strip.top : strip.bottom, :], part):
            return None
    return cast("Tensor", result)
