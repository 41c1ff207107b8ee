"""The project's own network for dark, low-resolution faces: global illumination first, then detail.

A dark image lacks two things: its illumination, which a few global numbers describe, and its detail, which is
lost everywhere. LFSRNet uses the same layers for both. Here they are separated: the logarithm of the image is
standardised by its own mean and standard deviation, which are all that a power and a factor can change in it;
a U-Net processes the standardised image; its deepest level, whose receptive field covers the face, predicts
mean and standard deviation of the bright image; its decoder predicts the residual to the image with that
illumination. Evidence: `docs/research/lumiface-x4.md`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.enlarge import enlarge_bilinear, enlarge_nearest
from lumiface.core.settings import Settings

EPSILON = 1.0 / 255.0
"""Added before the logarithm: one level of an 8-bit file, below which there is no information."""

INITIAL_MEAN, INITIAL_STD = -0.9, 0.8
"""Typical mean and standard deviation of a bright face's log image: the initial prediction."""


class LumifaceX4Config(Settings):
    """The configuration of a network; stored in every checkpoint."""

    old_names: ClassVar[Mapping[str, str]] = {
        "middle": "bottleneck",
        "drawn": "head_channels",
        "light": "illumination_head",
    }

    widths: tuple[int, ...] = Field(
        default=(48, 96, 192),
        min_length=2,
        description="channels per level; each level halves the resolution",
    )
    blocks: int = Field(default=2, ge=1, description="residual blocks per level, in encoder and decoder")
    bottleneck: int = Field(default=2, ge=1, description="residual blocks at the deepest level")
    head_channels: tuple[int, int] = Field(
        default=(24, 16), description="channels at 2x and 4x the input's resolution"
    )
    scale: Literal[4] = Field(default=4, description="s: upscaling factor")
    illumination_head: bool = Field(
        default=True, description="predict illumination separately from detail; off for an ablation"
    )


class Block(nn.Module):
    """Residual block of two convolutions with squeeze-and-excitation.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)
        nn.init.zeros_(self.second.weight)  # each block is initially the identity, whatever the depth
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, features: Tensor) -> Tensor:
        residual = self.second(F.silu(self.first(F.silu(features))))
        weight = self.excite(F.silu(self.squeeze(residual.mean(dim=(2, 3), keepdim=True))))
        return features + residual * torch.sigmoid(weight)


class LogStandardize(nn.Module):
    """An image's logarithm, standardised, with its mean and standard deviation.

    A power γ and a factor β turn log I into γ·log I + log β: only its mean and standard deviation change.

    Shape: (B, 3, H, W) in [0, 1] -> (B, 3, H, W), (B, 2, 1, 1).
    """

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logarithm = torch.log(image.clamp(min=0.0) + EPSILON)
        mean = logarithm.mean(dim=(1, 2, 3), keepdim=True)
        std = ((logarithm - mean).square().mean(dim=(1, 2, 3), keepdim=True) + 1e-4).sqrt()
        return (logarithm - mean) / std, torch.cat([mean, std], dim=1)


class IlluminationHead(nn.Module):
    """Predicts mean and standard deviation per channel of the bright log image, and applies them.

    Shape: (B, C, h, w) features, (B, 3, H, W) standardised log image -> (B, 3, H, W) with illumination.
    """

    old_child_names: ClassVar[dict[str, str]] = {"see": "fc1", "tell": "fc2"}

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(2 * channels, channels, 1)
        self.fc2 = nn.Conv2d(channels, 6, 1)
        with torch.no_grad():
            self.fc2.weight.zero_()
            initial = torch.tensor([INITIAL_MEAN] * 3 + [math.log(INITIAL_STD)] * 3)
            self.fc2.bias.copy_(initial)  # pyright: ignore[reportOptionalMemberAccess]

    def forward(self, features: Tensor, normalized: Tensor) -> Tensor:
        pooled = [features.mean(dim=(2, 3), keepdim=True), features.amax(dim=(2, 3), keepdim=True)]
        mean, log_std = self.fc2(F.silu(self.fc1(torch.cat(pooled, dim=1)))).chunk(2, dim=1)
        return torch.exp((mean + log_std.exp() * normalized).clamp(max=0.5))  # at most 1.65 times white


class LumifaceX4(nn.Module):
    """The whole network.

    Shape: (B, 3, h, w) in [0, 1], dark, any h and w -> (B, 3, 4·h, 4·w), about [0, 1], not clipped.
    """

    old_child_names: ClassVar[dict[str, str]] = {
        "freed": "standardize",
        "narrow": "downsample",
        "middle": "bottleneck",
        "tell_light": "illumination",
        "widen": "upsample",
        "lit": "lit_proj",
    }
    # Runtimes that compute in bf16 keep these in float32: an error in them changes the light of all pixels.
    float32_layers: ClassVar[tuple[str, ...]] = ("illumination",)

    def __init__(self, config: LumifaceX4Config) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.standardize = LogStandardize()
        self.shallow = nn.Conv2d(3 + 3 + 2 if config.illumination_head else 3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, config.blocks) for width in widths[:-1])
        self.downsample = nn.ModuleList(
            nn.Conv2d(above, below, 2, stride=2) for above, below in itertools.pairwise(widths)
        )
        self.bottleneck = _blocks(widths[-1], config.bottleneck)
        self.illumination = IlluminationHead(widths[-1]) if config.illumination_head else None
        self.upsample = nn.ModuleList(
            nn.Conv2d(below, above, 1) for above, below in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(_blocks(width, config.blocks) for width in widths[:-1])
        self.lit_proj = nn.Conv2d(3, widths[0], 3, padding=1)
        half, full = config.head_channels
        self.to_half = nn.Conv2d(widths[0], half, 3, padding=1)
        self.to_full = nn.Conv2d(half, full, 3, padding=1)
        self.to_rgb = nn.Conv2d(full, 3, 3, padding=1)
        with torch.no_grad():
            self.to_rgb.weight.mul_(0.1)  # a small residual at the start

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        normalized, stats = self.standardize(low)  # before padding, which would bias the statistics
        multiple = 2 ** (len(self.config.widths) - 1)
        padding = (0, -width % multiple, 0, -height % multiple)
        low, normalized = (F.pad(image, padding, mode="replicate") for image in (low, normalized))
        extra = [normalized, stats.expand(-1, -1, *low.shape[-2:])] if self.config.illumination_head else []
        x = self.shallow(torch.cat([low, *extra], dim=1))
        skips: list[Tensor] = []
        for blocks, downsample in zip(self.down, self.downsample, strict=True):
            x = blocks(x)
            skips.append(x)
            x = downsample(x)
        x = self.bottleneck(x)
        illuminated = low if self.illumination is None else self.illumination(x, normalized)
        for level in reversed(range(len(self.up))):
            x = enlarge_nearest(self.upsample[level](x)) + skips[level]
            if level == 0:
                x = x + self.lit_proj(illuminated)
            x = self.up[level](x)
        x = F.silu(self.to_half(enlarge_nearest(x)))
        x = F.silu(self.to_full(enlarge_nearest(x)))
        base = enlarge_bilinear(illuminated)
        return (self.to_rgb(x) + base)[..., : 4 * height, : 4 * width]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(count)))
