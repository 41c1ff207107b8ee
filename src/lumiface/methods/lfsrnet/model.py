"""LFSRNet: joint low-light enhancement and face super-resolution in one network.

Cong, Zheng, Jia: "A deep learning network for joint low-light enhancement and face super-resolution"
(CAAI Transactions on Intelligent Systems). Section numbers below are the paper's.

Exact: order and purpose of the modules (§2.1-2.3), five LFEBs, both additions.
Open in the paper, chosen here: channels, layers of the hourglass, size and heads of the attention, FFN width.
Deviations are marked `NOTE(paper)` on their lines and collected in PAPER.md.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.enlarge import enlarge_nearest
from lumiface.core.settings import Settings
from lumiface.methods.lfsrnet.attention import (
    ChannelAttention,
    EnhancedSpatialAttention,
    MaxViTBlock,
)


class LFSRNetConfig(Settings):
    """The configuration of an LFSRNet; stored in every checkpoint."""

    channels: int = Field(
        default=64, ge=16, multiple_of=4, description="C: width of all features (paper 64, base 48, lite 32)"
    )
    blocks: int = Field(default=5, ge=1, description="N: number of low-light face extraction blocks (LFEB)")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")
    window: int = Field(
        default=8, ge=2, description="P: window size of block attention, in pixels of the input"
    )
    grid: int = Field(default=8, ge=2, description="G: group size of grid attention, in pixels of the input")
    heads: int = Field(default=4, ge=1, description="attention heads")
    shift: bool = Field(default=True, description="shift the windows of every second LFEB by half a window")
    upsampler: Literal["pixelshuffle", "resize"] = Field(
        default="pixelshuffle",
        description="pixelshuffle: the paper's; resize: nearest x2 + convolution, without grid artefacts",
    )
    fseu: bool = Field(default=True, description="facial structure extraction; off: Table 1's first row")
    maxvit: bool = Field(default=True, description="block and grid attention; off for an ablation")
    esa: bool = Field(default=True, description="enhanced spatial attention; off for an ablation")
    attention: bool = Field(default=True, description="CA before the upsampler; off for an ablation")


class HourGlass(nn.Module):
    """Two downsampling and two upsampling steps with skips: a receptive field for the face's layout.

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
            features = enlarge_nearest(features) + skips.pop()
            features = F.leaky_relu(up(features), 0.1)
        return features


class FSEU(nn.Module):
    """Facial structure extraction unit: illumination correction, then structure extraction (§2.2, Fig. 1).

    Dark features lack magnitude (Fig. 2), so the correction is *added*: a non-negative projection of the
    features. The structure branch applies channel attention to the output of an hourglass.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)
        self.hourglass = HourGlass(channels)
        self.attention = ChannelAttention(channels)

    def forward(self, features: Tensor) -> Tensor:
        corrected = features + F.relu(self.project(features))
        return corrected + self.attention(self.hourglass(corrected))


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
    """Features -> the upscaled RGB image (§2.3), in steps of two.

    Shape: (B, C, H, W) -> (B, 3, s·H, s·W).
    """

    def __init__(self, config: LFSRNetConfig) -> None:
        super().__init__()
        self.kind = config.upsampler
        steps = config.scale.bit_length() - 1
        # NOTE(paper): the last step, at full resolution the most expensive one, has half of the channels.
        widths = [config.channels] * steps + [max(config.channels // 2, 16)]
        expansion = 4 if self.kind == "pixelshuffle" else 1
        self.steps = nn.ModuleList(
            nn.Conv2d(before, after * expansion, 3, padding=1) for before, after in pairwise(widths)
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
                # NOTE(paper): nearest x2 + convolution keeps constant areas constant; the four filters of a
                # pixel shuffle differ, which is visible as a grid.
                features = step(enlarge_nearest(features))
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
        # Replicate padding: zeros would look like darkness.
        padded = F.pad(low, (0, right, 0, bottom), mode="replicate")
        shallow = self.shallow(padded)
        fused = shallow + self.deep(shallow)
        high = self.upsample(self.attention(fused))
        return high[..., : height * self.config.scale, : width * self.config.scale]


def _repeat_for_shuffle(conv: nn.Module) -> None:
    """Initialise the four sub-pixels of a pixel shuffle equally (ICNR), without grid artefacts."""
    assert isinstance(conv, nn.Conv2d)
    quarter = conv.weight.data[::4]
    conv.weight.data.copy_(quarter.repeat_interleave(4, dim=0))
    if conv.bias is not None:
        conv.bias.data.copy_(conv.bias.data[::4].repeat_interleave(4))
