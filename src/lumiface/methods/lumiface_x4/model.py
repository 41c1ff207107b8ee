"""Our own network for dark, small faces: first the light, then the picture.

What a dark picture lacks is of two kinds. Its light is gone in one way for the whole picture, which few
numbers tell; its detail is gone at every place. LFSRNet asks the same layers for both. Here they part: the
logarithm of the picture is freed from its own mean and spread, which is all that a power and a factor can
change of it; a U-Net looks at what is left; its deepest level, which sees the whole face, tells the mean and
the spread that the bright picture has; and its way back up draws what the picture lit so still lacks.
`docs/lumiface-x4.md` has the evidence.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings

DARKEST = 1.0 / 255.0
"""Added before the logarithm: one level of an 8-bit file; below it nothing is known."""

USUAL_MEAN, USUAL_SPREAD = -0.9, 0.8
"""Of the logarithm of a bright face's picture, about: where the estimate of its light begins."""


class LumifaceX4Config(Settings):
    """What defines one network; stored in every checkpoint."""

    widths: tuple[int, ...] = Field(
        default=(48, 96, 192), min_length=2, description="channels by level; each level has half the side"
    )
    blocks: int = Field(default=2, ge=1, description="residual blocks of each level, down and up")
    bottleneck: int = Field(default=2, ge=1, description="residual blocks of the deepest level")
    head_channels: tuple[int, int] = Field(
        default=(24, 16), description="channels at twice and four times the side"
    )
    scale: Literal[4] = Field(default=4, description="s: enlargement")
    illumination_head: bool = Field(default=True, description="light apart from detail; off for an ablation")


class Block(nn.Module):
    """Two convolutions around which the features pass, weighed by channel from the whole picture's means.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)
        nn.init.zeros_(self.second.weight)  # each block begins as the identity: depth costs no start
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, features: Tensor) -> Tensor:
        told = self.second(F.silu(self.first(F.silu(features))))
        weight = self.excite(F.silu(self.squeeze(told.mean(dim=(2, 3), keepdim=True))))
        return features + told * torch.sigmoid(weight)


class LogStandardize(nn.Module):
    """A picture's logarithm without its own mean and spread, and these two.

    A power γ and a factor β turn log I into γ·log I + log β: its mean and its spread change, nothing else.

    Shape: (B, 3, H, W) in [0, 1] -> (B, 3, H, W), (B, 2, 1, 1).
    """

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        logarithm = torch.log(picture.clamp(min=0.0) + DARKEST)
        mean = logarithm.mean(dim=(1, 2, 3), keepdim=True)
        spread = ((logarithm - mean).square().mean(dim=(1, 2, 3), keepdim=True) + 1e-4).sqrt()
        return (logarithm - mean) / spread, torch.cat([mean, spread], dim=1)


class _IlluminationHead(nn.Module):
    """The mean and spread of the bright picture's logarithm, colour by colour; and the picture in them.

    Shape: (B, C, h, w) features, (B, 3, H, W) without light -> (B, 3, H, W) in light.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(2 * channels, channels, 1)
        self.fc2 = nn.Conv2d(channels, 6, 1)
        with torch.no_grad():
            self.fc2.weight.zero_()
            usual = torch.tensor([USUAL_MEAN] * 3 + [math.log(USUAL_SPREAD)] * 3)
            self.fc2.bias.copy_(usual)  # pyright: ignore[reportOptionalMemberAccess]

    def forward(self, features: Tensor, freed: Tensor) -> Tensor:
        whole = [features.mean(dim=(2, 3), keepdim=True), features.amax(dim=(2, 3), keepdim=True)]
        mean, spread = self.fc2(F.silu(self.fc1(torch.cat(whole, dim=1)))).chunk(2, dim=1)
        return torch.exp((mean + spread.exp() * freed).clamp(max=0.5))  # nothing is much lighter than white


class LumifaceX4(nn.Module):
    """The whole network.

    Shape: (B, 3, h, w) in [0, 1], dark, any h and w -> (B, 3, 4·h, 4·w), about [0, 1], not clipped.
    """

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
        self.illumination = _IlluminationHead(widths[-1]) if config.illumination_head else None
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
            self.to_rgb.weight.mul_(0.1)  # hardly any residual at the start

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        freed, said = self.standardize(low)  # of the picture itself: what is padded would count twice
        multiple = 2 ** (len(self.config.widths) - 1)
        padding = (0, -width % multiple, 0, -height % multiple)
        low, freed = (F.pad(picture, padding, mode="replicate") for picture in (low, freed))
        told = [freed, said.expand(-1, -1, *low.shape[-2:])] if self.config.illumination_head else []
        x = self.shallow(torch.cat([low, *told], dim=1))
        skips: list[Tensor] = []
        for blocks, narrow in zip(self.down, self.downsample, strict=True):
            x = blocks(x)
            skips.append(x)
            x = narrow(x)
        x = self.bottleneck(x)
        lit = low if self.illumination is None else self.illumination(x, freed)
        for level in reversed(range(len(self.up))):
            x = F.interpolate(self.upsample[level](x), scale_factor=2.0, mode="nearest") + skips[level]
            if level == 0:
                x = x + self.lit_proj(lit)
            x = self.up[level](x)
        x = F.silu(self.to_half(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        x = F.silu(self.to_full(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        high = self.to_rgb(x) + F.interpolate(lit, scale_factor=4.0, mode="bilinear", align_corners=False)
        return high[..., : 4 * height, : 4 * width]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(count)))
