"""From a degraded face to a latent vector and features of every scale (Fig. 1): a U-Net.

The paper gives the sizes of its features, 8x8x256 to 512x512x16, and nothing of its layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.residual import ResidualBlock
from lumiface.core.settings import Settings


class EncoderConfig(Settings):
    """The configuration of an encoder-decoder; stored in every checkpoint."""

    old_names: ClassVar[Mapping[str, str]] = {"base": "channel_base", "most": "max_channels"}

    resolution: int = Field(default=512, ge=16, le=1024, description="size of the faces, a power of two")
    channel_base: int = Field(
        default=8192, ge=64, description="channels at resolution r = min(channel_base / r, max_channels)"
    )
    max_channels: int = Field(default=256, ge=8, description="upper limit of the channels of a scale")
    latent: int = Field(default=512, ge=16, description="length of the latent vector")

    @property
    def resolutions(self) -> list[int]:
        """8, 16, ... up to the resolution."""
        return [2**level for level in range(3, self.resolution.bit_length())]

    def channels_at(self, resolution: int) -> int:
        """Channels of the scale of this resolution."""
        return min(self.channel_base // resolution, self.max_channels)


class Encoder(nn.Module):
    """A degraded face -> its latent vector, and features from coarse to fine.

    Shape: (B, 3, R, R) in [-1, 1] -> (B, latent) and a list of (B, channels, r, r), r from 8 to R.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels_at(resolution) for resolution in config.resolutions]  # coarse to fine
        pairs = list(itertools.pairwise(reversed(widths)))  # fine to coarse
        self.stem = nn.Conv2d(3, widths[-1], 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(width) for width in reversed(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairs)
        self.middle = nn.Sequential(ResidualBlock(widths[0]), ResidualBlock(widths[0]))
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in reversed(pairs))
        self.fuse = nn.ModuleList(nn.Conv2d(2 * fine, fine, 1) for fine, _ in reversed(pairs))
        self.decode = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.latent = nn.Linear(widths[0] * 16, config.latent)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.stem(image)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            x = block(x if level == 0 else self.down[level - 1](x))
            skips.append(x)
        x = self.middle(skips.pop())
        latent = self.latent(F.avg_pool2d(x, 2).flatten(1))
        features = [self.decode[0](x)]
        for up, fuse, block in zip(self.up, self.fuse, self.decode[1:], strict=True):
            skip = skips.pop()
            upsampled = F.interpolate(
                up(features[-1]), size=skip.shape[-2:], mode="bilinear", align_corners=False
            )
            features.append(block(fuse(torch.cat([upsampled, skip], dim=1))))
        return latent, features
