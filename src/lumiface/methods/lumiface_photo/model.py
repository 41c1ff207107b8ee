"""Our own network for whole photographs: enlarges whatever is in them, x4 or x2, at little cost per pixel.

All layers work on a grid of a quarter of the output's side, at x2 as at x4: there the input's 2 x 2 pixels
become channels first. So an output pixel costs the same at both scales. The network adds detail to a bicubic
enlargement. It has no global statistics: an output pixel depends on `reach` input pixels around it, so that
tiles which overlap by that much give the same picture as the whole.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings

_GRID = 4
"""Side of the output over the side of the layers' grid."""


class LumifacePhotoConfig(Settings):
    """What defines one network; stored in every checkpoint."""

    channels: int = Field(default=48, ge=8, description="channels of all layers")
    blocks: int = Field(default=5, ge=1, description="residual blocks of two convolutions each")
    scale: Literal[2, 4] = Field(default=4, description="upscaling factor")


class Block(nn.Module):
    """x + Conv(ReLU(Conv(x))), initially close to the identity. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = _quiet(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(F.relu(self.first(features)))


class LumifacePhoto(nn.Module):
    """Bicubic enlargement plus detail.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: LumifacePhotoConfig) -> None:
        super().__init__()
        self.config = config
        self.fold = _GRID // config.scale  # input pixels per side of a grid cell
        self.head = nn.Conv2d(3 * self.fold**2, config.channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(config.channels) for _ in range(config.blocks)))
        self.tail = _quiet(nn.Conv2d(config.channels, 3 * _GRID**2, 3, padding=1))

    @property
    def reach(self) -> int:
        """An output pixel depends on input pixels up to this far away, a multiple of `fold`."""
        return self.fold * (2 * self.config.blocks + 2)  # more than the two pixels of the bicubic kernel

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        enlarged = F.interpolate(
            low, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False
        )
        if self.fold > 1:
            low = F.pad(low, (0, width % self.fold, 0, height % self.fold), mode="replicate")
            low = F.pixel_unshuffle(low, self.fold)
        detail = F.pixel_shuffle(self.tail(self.blocks(self.head(low - 0.5))), _GRID)
        return enlarged + detail[..., : enlarged.shape[-2], : enlarged.shape[-1]]


def _quiet(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with a tenth of its initial weights: training begins near the bicubic enlargement."""
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5)
    layer.weight.data.mul_(0.1)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
