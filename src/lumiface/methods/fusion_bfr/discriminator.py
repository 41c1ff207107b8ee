"""StyleGAN2's discriminator: residual, with minibatch standard deviation (Karras et al. 2020, Fig. 7c)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.precision import float32_math, in_float32, to_float32
from lumiface.methods.fusion_bfr.style_layers import EqualConv2d, EqualLinear, activate


class DiscriminatorConfig(Settings):
    """The configuration of a discriminator."""

    old_names: ClassVar[Mapping[str, str]] = {"base": "channel_base", "most": "max_channels"}

    resolution: int = Field(default=512, ge=16, le=1024, description="size of the faces, a power of two")
    channel_base: int = Field(
        default=32768, ge=256, description="channels at resolution r = min(channel_base / r, max_channels)"
    )
    max_channels: int = Field(default=512, ge=8, description="upper limit of the channels of a scale")
    group: int = Field(default=4, ge=1, description="group size of the minibatch standard deviation, at most")

    def channels_at(self, resolution: int) -> int:
        """Channels of the scale of this resolution."""
        return min(self.channel_base // resolution, self.max_channels)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, the second of which halves the resolution, and a downsampled skip connection.

    Shape: (B, in_channels, H, W) -> (B, out_channels, H/2, W/2).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(in_channels, in_channels, 3)
        self.conv2 = EqualConv2d(in_channels, out_channels, 3, down=True)
        self.skip = EqualConv2d(in_channels, out_channels, 1, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        residual = activate(self.conv2(activate(self.conv1(x))))
        return (residual + self.skip(x)) / math.sqrt(2.0)


class DownsamplingBlocks(nn.Sequential):
    """The blocks from the full resolution down to 4x4.

    Shape: (B, channels, R, R) -> (B, channels, 4, 4), float32 if any block computes in it.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        sizes = [2**level for level in range(int(math.log2(config.resolution)), 2, -1)]
        super().__init__(
            *(DiscriminatorBlock(config.channels_at(size), config.channels_at(size // 2)) for size in sizes)
        )
        self.precise = [in_float32(size, config.resolution) for size in sizes]

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name of `nn.Sequential`)
        x = input
        for block, precise in zip(self, self.precise, strict=True):
            x = to_float32(x) if precise else x
            with float32_math(x, when=precise):
                x = block(x)
        return x


class Discriminator(nn.Module):
    """One logit per image, higher for a real one.

    Shape: (B, 3, R, R) in about [-1, 1] -> (B,).
    """

    old_child_names: ClassVar[dict[str, str]] = {"from_colour": "from_rgb", "ver" + "dict": "logit"}

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.from_rgb = EqualConv2d(3, config.channels_at(config.resolution), 1)
        self.blocks = DownsamplingBlocks(config)
        last = config.channels_at(4)
        self.conv = EqualConv2d(last + 1, last, 3)
        self.hidden, self.logit = EqualLinear(last * 16, last), EqualLinear(last, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = to_float32(self.blocks(activate(self.from_rgb(image))))
        with float32_math(x):
            x = activate(self.conv(torch.cat([x, minibatch_stddev(x, self.config.group)], dim=1)))
            return self.logit(activate(self.hidden(x.flatten(1))))[:, 0]


def minibatch_stddev(x: Tensor, group: int) -> Tensor:
    """The standard deviation over a group of images, an extra channel that exposes mode collapse.

    Karras et al. 2018, "Progressive Growing of GANs", §3: standard deviation over the group, averaged over
    channels and positions.

    Args:
        x: (B, C, H, W).
        group: images in a group; the batch is divided into equal groups of at most this size.

    Returns:
        (B, 1, H, W).
    """
    batch, _, height, width = x.shape
    size = max(count for count in range(1, min(group, batch) + 1) if batch % count == 0)
    groups = x.unflatten(0, (size, batch // size))  # image i belongs to group i mod the number of groups
    deviation = (groups.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, height, width)
