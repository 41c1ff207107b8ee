"""The conditional 3D denoiser: from a noisy tri-plane and the dark image to the noise or to x_0 (§3.1.1)."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.diffusion import NoiseSchedule
from lumiface.blocks.residual import ResidualBlock, group_norm
from lumiface.core.settings import Settings
from lumiface.geometry.camera import CAMERA_LENGTH


class DenoiserConfig(Settings):
    """The configuration of a denoiser; stored in every checkpoint."""

    components: int = Field(
        default=16,
        ge=2,
        description="K: principal components of the planes' features; 96, all of them: the channels "
        "themselves, the paper's; see `plane_normalizer.py`",
    )
    side: int = Field(default=256, ge=16, multiple_of=16, description="height and width of a plane, texels")
    widths: tuple[int, int, int] = Field(
        default=(64, 128, 224), description="channels of the U-Net's three levels"
    )
    condition: int = Field(default=64, ge=8, description="channels of the image's features")
    embedding: int = Field(default=128, ge=16, multiple_of=2, description="length of the time embedding")
    steps: int = Field(default=1000, ge=10, description="T: diffusion steps")
    predicts: Literal["clean", "noise"] = Field(
        default="clean", description="what the network predicts: clean: x_0; noise: ε, the paper's"
    )


class ConditionExtractor(nn.Module):
    """Three residual blocks in sequence on the dark image, at the planes' resolution.

    Shape: (B, 3, H, W) in [0, 1] -> (B, C, S, S).
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        # NOTE(paper): images are resized to 4·S, then unshuffled: detail finer than a texel is kept.
        self.stem = nn.Conv2d(3 * 16, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(3)))

    def forward(self, image: Tensor) -> Tensor:
        fine = F.interpolate(image, size=(4 * self.side, 4 * self.side), mode="bilinear", align_corners=False)
        # The square root is a gamma curve: it expands dark values.
        return self.blocks(self.stem(F.pixel_unshuffle(2.0 * fine.clamp_min(0.0).sqrt() - 1.0, 4)))


class AdaptiveFusion(nn.Module):
    """Backbone and condition concatenated, weighted by channel attention, projected, added to the backbone.

    Shape: (B, C, H, W) and (B, K, H, W) -> (B, C, H, W).
    """

    def __init__(self, backbone: int, condition: int) -> None:
        super().__init__()
        both = backbone + condition
        self.squeeze, self.excite = nn.Conv2d(both, both // 4, 1), nn.Conv2d(both // 4, both, 1)
        # NOTE(paper): the sum needs equal widths; the paper leaves open how: here a 1x1 convolution.
        self.project = nn.Conv2d(both, backbone, 1)

    def forward(self, backbone: Tensor, condition: Tensor) -> Tensor:
        both = torch.cat([backbone, condition], dim=1)
        mean = both.mean(dim=(2, 3), keepdim=True)  # GAP
        attention = self.excite(F.silu(self.squeeze(mean))).softmax(dim=1)
        # The weights sum to 1 over the channels; times their number, uniform attention is the identity.
        return backbone + self.project(both * attention * both.shape[1])


class Denoiser(nn.Module):
    """A 3-level U-Net with one residual block per level, conditioned on the image at levels 2 and 3.

    NOTE(paper): the paper's network predicts the noise ε (`predicts: noise`), which has full bandwidth in
    every channel. By default this one predicts x_0, from which ε follows: a face is smooth and easier to
    represent. Since x_t is nearly x_0 for small t, and nearly ε for large t, it is added to the output with a
    weight per channel that depends on t.

    Shape: x_t (B, K + 25, S, S), I (B, 3, H, W) in [0, 1], t (B,) from 1 to T -> x_0 or ε, like x_t.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule(config.steps)
        targets = config.components + CAMERA_LENGTH
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
        self.keep = nn.Linear(length, targets)  # weights of x_t in the output
        nn.init.zeros_(self.keep.weight)
        nn.init.zeros_(self.keep.bias)

    def forward(self, noisy: Tensor, image: Tensor, t: Tensor) -> Tensor:
        return self.denoise(noisy, self.condition(image), t)

    def denoise(self, noisy: Tensor, condition: Tensor, t: Tensor) -> Tensor:
        """The same from the features of `self.condition`, which sampling computes only once."""
        embedding = self.time(time_embedding(t, self.config.embedding).to(noisy.dtype))
        features = self.stem(noisy)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            if level > 0:
                features = self.down[level - 1](features)
                pooled = F.adaptive_avg_pool2d(condition, features.shape[-2:])
                features = self.inject[level - 1](features, pooled)
            features = block(features, embedding)
            skips.append(features)
        features = self.middle(skips.pop(), embedding)
        for up, fuse, block in zip(self.up, self.fuse, self.decode, strict=True):
            skip = skips.pop()
            upsampled = F.interpolate(up(features), size=skip.shape[-2:], mode="nearest")
            features = block(fuse(torch.cat([upsampled, skip], dim=1)), embedding)
        return self.keep(embedding)[:, :, None, None] * noisy + self.out(F.silu(self.norm(features)))


def time_embedding(t: Tensor, length: int) -> Tensor:
    """Sinusoidal embedding (B,) -> (B, length), periods 2π to 10,000·2π (Vaswani et al. 2017)."""
    half = length // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t.device) / half)
    angles = t[:, None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
