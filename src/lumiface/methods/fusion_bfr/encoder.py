"""From a damaged face to a latent vector and features of every scale (Fig. 1): a U-Net.

The paper gives its features' sizes, 8x8x256 to 512x512x16, and nothing of its layers.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.residual import ResidualBlock
from lumiface.core.settings import Settings


class EncoderConfig(Settings):
    """What defines one encoder-decoder; stored in every checkpoint."""

    resolution: int = Field(default=512, ge=16, le=1024, description="side of the faces, a power of two")
    channel_base: int = Field(default=8192, ge=64, description="channels of a scale are base / side, ...")
    max_channels: int = Field(default=256, ge=8, description="... and this at most")
    latent: int = Field(default=512, ge=16, description="length of the latent vector")

    @property
    def sides(self) -> list[int]:
        """8, 16, ... up to the resolution."""
        return [2**level for level in range(3, self.resolution.bit_length())]

    def channels_at(self, side: int) -> int:
        """Channels at a scale."""
        return min(self.channel_base // side, self.max_channels)


class Encoder(nn.Module):
    """A damaged face -> its latent vector, and features from coarse to fine.

    Shape: (B, 3, R, R) in [-1, 1] -> (B, latent) and a list of (B, width, side, side), side 8 to R.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels_at(side) for side in config.sides]  # coarse to fine
        pairs = list(itertools.pairwise(reversed(widths)))  # fine to coarse
        self.stem = nn.Conv2d(3, widths[-1], 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(width) for width in reversed(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairs)
        self.middle = nn.Sequential(ResidualBlock(widths[0]), ResidualBlock(widths[0]))
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in reversed(pairs))
        self.fuse = nn.ModuleList(nn.Conv2d(2 * fine, fine, 1) for fine, _ in reversed(pairs))
        self.decode = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.latent = nn.Linear(widths[0] * 16, config.latent)

    def forward(self, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.stem(picture)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            features = block(features if level == 0 else self.down[level - 1](features))
            skips.append(features)
        features = self.middle(skips.pop())
        latent = self.latent(F.avg_pool2d(features, 2).flatten(1))
        found = [self.decode[0](features)]
        for up, fuse, block in zip(self.up, self.fuse, self.decode[1:], strict=True):
            skip = skips.pop()
            larger = F.interpolate(up(found[-1]), size=skip.shape[-2:], mode="bilinear", align_corners=False)
            found.append(block(fuse(torch.cat([larger, skip], dim=1))))
        return latent, found
