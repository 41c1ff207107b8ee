"""StyleGAN2's discriminator: residual, with the spread of a batch as a clue (Karras et al. 2020, Fig. 7c)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.style_layers import EqualConv2d, EqualLinear, activate


class DiscriminatorConfig(Settings):
    """What defines one discriminator; stored in every training state."""

    resolution: int = Field(default=512, ge=16, le=1024, description="side of the faces, a power of two")
    channel_base: int = Field(default=32768, ge=256, description="channels of a scale are base / side, ...")
    max_channels: int = Field(default=512, ge=8, description="... and this at most")
    group: int = Field(default=4, ge=1, description="pictures whose spread is compared, at most")

    def channels_at(self, side: int) -> int:
        """Channels at a scale."""
        return min(self.channel_base // side, self.max_channels)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, the second halves the size, and a halved way around them.

    Shape: (B, inputs, H, W) -> (B, outputs, H/2, W/2).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(inputs, inputs, 3)
        self.conv2 = EqualConv2d(inputs, outputs, 3, down=True)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        changed = activate(self.conv2(activate(self.conv1(x))))
        return (changed + self.skip(x)) / math.sqrt(2.0)


def downsampling_blocks(config: DiscriminatorConfig) -> nn.Sequential:
    """From the features of the full size to those of 4x4."""
    sides = [2**level for level in range(int(math.log2(config.resolution)), 2, -1)]
    return nn.Sequential(
        *(DiscriminatorBlock(config.channels_at(side), config.channels_at(side // 2)) for side in sides)
    )


class Discriminator(nn.Module):
    """Is a face real? One number a picture, higher for yes.

    Shape: (B, 3, R, R) in about [-1, 1] -> (B,).
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.from_rgb = EqualConv2d(3, config.channels_at(config.resolution), 1)
        self.blocks = downsampling_blocks(config)
        last = config.channels_at(4)
        self.conv = EqualConv2d(last + 1, last, 3)
        self.hidden, self.logit = EqualLinear(last * 16, last), EqualLinear(last, 1)

    def forward(self, picture: Tensor) -> Tensor:
        x = self.blocks(activate(self.from_rgb(picture)))
        x = activate(self.conv(torch.cat([x, minibatch_stddev(x, self.config.group)], dim=1)))
        return self.logit(activate(self.hidden(x.flatten(1))))[:, 0]


def minibatch_stddev(x: Tensor, group: int) -> Tensor:
    """How much the pictures of a group differ: a generator that always draws the same is found out by it.

    Karras et al. 2018, "Progressive Growing of GANs", §3: standard deviation over the group, averaged over
    channels and places.

    Args:
        x: (B, C, H, W).
        group: pictures of a group; the batch is divided into equal groups of at most so many.

    Returns:
        (B, 1, H, W).
    """
    batch, _, height, width = x.shape
    size = max(count for count in range(1, min(group, batch) + 1) if batch % count == 0)
    groups = x.unflatten(0, (size, batch // size))  # picture i belongs to group i mod the number of groups
    deviation = (groups.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, height, width)
