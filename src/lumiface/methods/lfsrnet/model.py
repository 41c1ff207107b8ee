"""LFSRNet: joint low-light enhancement and face super-resolution in one network.

Cong, Zheng, Jia: "A deep learning network for joint low-light enhancement and face super-resolution"
(CAAI Transactions on Intelligent Systems). Section numbers below are the paper's.

Exact: the order of the modules and what each is for (§2.1-2.3), five LFEBs, both additions.
Open in the paper, chosen here: channel widths, the hourglass's inside, attention sides and heads, FFN width.
Deviations are marked `NOTE(paper)` on their lines and collected in PAPER.md.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.methods.lfsrnet.attention import (
    ChannelAttention,
    EnhancedSpatialAttention,
    MaxViTBlock,
)


class LFSRNetConfig(Settings):
    """What defines one LFSRNet; stored in every checkpoint."""

    channels: int = Field(
        default=64, ge=16, multiple_of=4, description="C: width of all features (paper 64, base 48, lite 32)"
    )
    blocks: int = Field(default=5, ge=1, description="N: number of low-light face extraction blocks (LFEB)")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: enlargement")
    window: int = Field(
        default=8, ge=2, description="P: side of block attention's windows, in pixels of the small picture"
    )
    grid: int = Field(
        default=8, ge=2, description="G: side of grid attention's groups, in pixels of the small picture"
    )
    heads: int = Field(default=4, ge=1, description="attention heads")
    shift: bool = Field(
        default=True, description="displace the windows of every second LFEB by half a window"
    )
    upsampler: Literal["pixelshuffle", "resize"] = Field(
        default="pixelshuffle",
        description="pixelshuffle: the paper's; resize: nearest x2 + convolution, free of grids",
    )
    fseu: bool = Field(default=True, description="facial structure extraction; off: Table 1's first row")
    maxvit: bool = Field(default=True, description="block and grid attention; off for an ablation")
    esa: bool = Field(default=True, description="enhanced spatial attention; off for an ablation")
    attention: bool = Field(default=True, description="CA before the upsampler; off for an ablation")


class HourGlass(nn.Module):
    """Two steps down, two steps up, with a skip at each size: sees a face's layout, not only its texture.

    Shape: (B, C, H, W) -> (B, C, H, W); H and W must be multiples of 4.
    """

    def __init__(self, channels: int, depth: int = 2) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(channels, channels, 3, stride=2, padding=1) for _ in range(depth))
        self.up = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))

    def forward(self, features: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for down in self.down:
            skips.append(features)
            features = F.leaky_relu(down(features), 0.1)
        for up in self.up:
            features = F.interpolate(features, scale_factor=2.0, mode="nearest") + skips.pop()
            features = F.leaky_relu(up(features), 0.1)
        return features


class FSEU(nn.Module):
    """Facial structure extraction unit: first the light is mended, then structure is sought (§2.2, Fig. 1).

    Darkness is a lack of value (Fig. 2), so what the light needs is *added*: a projection of the features
    that cannot be negative. The structure branch then weighs what an hourglass sees by channel.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)
        self.hourglass = HourGlass(channels)
        self.attention = ChannelAttention(channels)

    def forward(self, features: Tensor) -> Tensor:
        lit = features + F.relu(self.project(features))
        return lit + self.attention(self.hourglass(lit))


class LFEB(nn.Module):
    """Low-light face extraction block: FSEU, MaxViT, ESA (§2.2).

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, config: LFSRNetConfig, shift: int) -> None:
        super().__init__()
        channels = config.channels
        self.fseu = FSEU(channels) if config.fseu else nn.Identity()
        self.maxvit = (
            MaxViTBlock(channels, config.window, config.grid, config.heads, shift)
            if config.maxvit
            else nn.Identity()
        )
        self.esa = EnhancedSpatialAttention(channels) if config.esa else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        # NOTE(paper): a residual around the block; the paper is silent on it.
        return features + self.esa(self.maxvit(self.fseu(features)))


class Upsampler(nn.Module):
    """Features of the small picture -> the large RGB picture (§2.3), by steps of two.

    Shape: (B, C, H, W) -> (B, 3, s·H, s·W).
    """

    def __init__(self, config: LFSRNetConfig) -> None:
        super().__init__()
        self.kind = config.upsampler
        steps = config.scale.bit_length() - 1
        # The last step is the dearest (it works at the large size); half the channels serve there.
        widths = [config.channels] * steps + [max(config.channels // 2, 16)]
        spread = 4 if self.kind == "pixelshuffle" else 1
        self.steps = nn.ModuleList(
            nn.Conv2d(before, after * spread, 3, padding=1) for before, after in pairwise(widths)
        )
        self.to_rgb = nn.Conv2d(widths[-1], 3, 3, padding=1)
        if self.kind == "pixelshuffle":
            for step in self.steps:
                _repeat_for_shuffle(step)

    def forward(self, features: Tensor) -> Tensor:
        for step in self.steps:
            if self.kind == "pixelshuffle":
                features = F.pixel_shuffle(step(features), 2)
            else:
                # NOTE(paper): nearest x2 + convolution gives flat where the features are flat; pixel shuffle
                # writes its four sub-pixels from four filters, whose differences show as a grid.
                features = step(F.interpolate(features, scale_factor=2.0, mode="nearest"))
            features = F.leaky_relu(features, 0.1)
        return self.to_rgb(features)


class LFSRNet(nn.Module):
    """The whole network: F0 = Conv(I_LR); F_DF = LFEBs(F0); F_S = F0 + F_DF; I_SR = UpSample(CA(F_S)).

    Shape: (B, 3, h, w) in [0, 1], dark, any h and w -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: LFSRNetConfig) -> None:
        super().__init__()
        self.config = config
        self.shallow = nn.Conv2d(3, config.channels, 3, padding=1)
        half = config.window // 2
        self.deep = nn.Sequential(
            *(LFEB(config, shift=half if config.shift and i % 2 else 0) for i in range(config.blocks))
        )
        self.attention = ChannelAttention(config.channels) if config.attention else nn.Identity()
        self.upsample = Upsampler(config)

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        multiple = max(self.config.window, self.config.grid, 4)
        bottom, right = -height % multiple, -width % multiple
        # Edge pixels are repeated: zeros would read as darkness.
        padded = F.pad(low, (0, right, 0, bottom), mode="replicate")
        shallow = self.shallow(padded)
        fused = shallow + self.deep(shallow)
        high = self.upsample(self.attention(fused))
        return high[..., : height * self.config.scale, : width * self.config.scale]


def _repeat_for_shuffle(conv: nn.Module) -> None:
    """Start the four sub-pixels of a pixel shuffle equal (ICNR), so that training starts without a grid."""
    assert isinstance(conv, nn.Conv2d)
    quarter = conv.weight.data[::4]
    conv.weight.data.copy_(quarter.repeat_interleave(4, dim=0))
    if conv.bias is not None:
        conv.bias.data.copy_(conv.bias.data[::4].repeat_interleave(4))
