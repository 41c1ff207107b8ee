"""The conditional 3D denoiser: what is noise in a noisy tri-plane, given the dark photo (§3.1.1, Fig. 2)."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from einops import rearrange
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from lumiface.blocks.residual import ResidualBlock, group_norm
from lumiface.geometry.camera import NUMBERS


class DenoiserConfig(BaseModel):
    """What defines one denoiser; stored in every checkpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(default=32, ge=4, description="C: features of each of the three planes")
    side: int = Field(default=256, ge=16, multiple_of=16, description="texels along each side of a plane")
    widths: tuple[int, int, int] = Field(
        default=(64, 96, 160), description="channels of the U-Net's three levels"
    )
    condition: int = Field(default=48, ge=8, description="channels of the photograph's features")
    embedding: int = Field(default=128, ge=16, multiple_of=2, description="length of the time's embedding")
    steps: int = Field(default=1000, ge=10, description="T: steps of the diffusion")


class ConditionExtractor(nn.Module):
    """Three residual blocks in a row on the dark photograph, at the planes' size.

    Shape: (B, 3, H, W) in [0, 1] -> (B, C, S, S).
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        # NOTE(paper): photographs larger than the planes are first unshuffled, so that no pixel is lost.
        self.stem = nn.Conv2d(3 * 16, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(3)))

    def forward(self, picture: Tensor) -> Tensor:
        fine = F.interpolate(
            picture, size=(4 * self.side, 4 * self.side), mode="bilinear", align_corners=False
        )
        return self.blocks(self.stem(F.pixel_unshuffle(2.0 * fine - 1.0, 4)))


class AdaptiveFusion(nn.Module):
    """Backbone and condition side by side, each channel with its share of attention, added to the backbone.

    Shape: (B, C, H, W) and (B, K, H, W) -> (B, C, H, W).
    """

    def __init__(self, backbone: int, condition: int) -> None:
        super().__init__()
        both = backbone + condition
        self.squeeze, self.excite = nn.Conv2d(both, both // 4, 1), nn.Conv2d(both // 4, both, 1)
        # NOTE(paper): the sum needs equal widths, which the paper does not say how to get: a 1x1 convolution.
        self.project = nn.Conv2d(both, backbone, 1)

    def forward(self, backbone: Tensor, condition: Tensor) -> Tensor:
        both = torch.cat([backbone, condition], dim=1)
        mean = both.mean(dim=(2, 3), keepdim=True)  # GAP
        share = self.excite(F.silu(self.squeeze(mean))).softmax(dim=1)
        # Shares sum to 1 over all channels: times their number, so that equal attention changes nothing.
        return backbone + self.project(both * share * both.shape[1])


class Denoiser(nn.Module):
    """ε_θ(x_t, I, t): a 3-level U-Net, one residual block a level, the photograph told at levels 2 and 3.

    Shape: x_t (B, 3·C + 25, S, S), I (B, 3, H, W) in [0, 1], t (B,) from 1 to T -> ε like x_t.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        targets = 3 * config.channels + NUMBERS
        first, *_, last = widths = config.widths
        length = config.embedding
        self.time = nn.Sequential(nn.Linear(length, length), nn.SiLU(), nn.Linear(length, length))
        self.condition = ConditionExtractor(config.condition, config.side)
        self.stem = nn.Conv2d(targets, first, 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(width, length) for width in widths)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 3, stride=2, padding=1) for wide, deep in pairs)
        self.inject = nn.ModuleList(AdaptiveFusion(width, config.condition) for width in widths[1:])
        self.middle = ResidualBlock(last, length)
        self.up = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in reversed(pairs))
        self.fuse = nn.ModuleList(nn.Conv2d(2 * wide, wide, 1) for wide, _ in reversed(pairs))
        self.decode = nn.ModuleList(ResidualBlock(wide, length) for wide, _ in reversed(pairs))
        self.norm = group_norm(first)
        self.out = nn.Conv2d(first, targets, 3, padding=1)
        # NOTE(paper): x_0 is normalised channel by channel, which the paper leaves open.
        self.register_buffer("mean", torch.zeros(1, targets, 1, 1))
        self.register_buffer("std", torch.ones(1, targets, 1, 1))
        self.mean: Tensor
        self.std: Tensor

    @torch.no_grad()
    def calibrate(self, raw: Tensor) -> None:
        """Mean and deviation of each channel from examples (N, 3·C + 25, S, S); constants are left alone."""
        self.mean.copy_(raw.mean(dim=(0, 2, 3), keepdim=True))
        std = raw.std(dim=(0, 2, 3), keepdim=True)
        self.std.copy_(torch.where(std > 1e-4, std, torch.ones_like(std)))

    def normalise(self, raw: Tensor) -> Tensor:
        """What `to_diffusion` gives -> x_0."""
        return (raw - self.mean) / self.std

    def restore(self, x: Tensor) -> Tensor:
        """x_0 -> what `from_diffusion` takes."""
        return x * self.std + self.mean

    def forward(self, noisy: Tensor, picture: Tensor, t: Tensor) -> Tensor:
        return self.denoise(noisy, self.condition(picture), t)

    def denoise(self, noisy: Tensor, condition: Tensor, t: Tensor) -> Tensor:
        """The same from features that `self.condition` made: sampling asks for them once."""
        when = self.time(time_embedding(t, self.config.embedding).to(noisy.dtype))
        features = self.stem(noisy)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            if level > 0:
                features = self.down[level - 1](features)
                seen = F.adaptive_avg_pool2d(condition, features.shape[-2:])
                features = self.inject[level - 1](features, seen)
            features = block(features, when)
            skips.append(features)
        features = self.middle(skips.pop(), when)
        for up, fuse, block in zip(self.up, self.fuse, self.decode, strict=True):
            skip = skips.pop()
            larger = F.interpolate(up(features), size=skip.shape[-2:], mode="nearest")
            features = block(fuse(torch.cat([larger, skip], dim=1)), when)
        return self.out(F.silu(self.norm(features)))


def time_embedding(t: Tensor, length: int) -> Tensor:
    """(B,) numbers -> (B, length): sines and cosines of periods 2π to 10,000·2π (Vaswani et al. 2017)."""
    half = length // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t.device) / half)
    angles = t[:, None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def to_diffusion(planes: Tensor, camera: Tensor) -> Tensor:
    """x_0: planes (B, 3, C, S, S) and the camera (B, 25), spread over all texels -> (B, 3·C + 25, S, S)."""
    side = planes.shape[-1]
    spread = camera[:, :, None, None].expand(-1, -1, side, side)
    return torch.cat([rearrange(planes, "b p c y x -> b (p c) y x"), spread], dim=1)


def from_diffusion(x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3·C + 25, S, S) -> planes (B, 3, C, S, S) and the camera (B, 25), the mean over all texels."""
    planes, camera = x[:, :-NUMBERS], x[:, -NUMBERS:]
    return rearrange(planes, "b (p c) y x -> b p c y x", p=3), camera.mean(dim=(2, 3))
