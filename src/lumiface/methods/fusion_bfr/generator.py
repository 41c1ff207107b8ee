"""The generative prior: StyleGAN2's generator, at any power of two (Karras et al. 2020, Fig. 2c, 7b).

A code w for each layer (W+), noise for each pixel, and colours summed up over the scales. Between two layers
anybody may take hold of the features: so a restorer leads the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.resampling_conv import enlarge
from lumiface.methods.fusion_bfr.style_layers import (
    GAIN,
    EqualLinear,
    ModulatedConv2d,
    activate,
    deactivate,
)

Lead = Callable[[Tensor, int], Tensor]
"""Features (B, C, H, W) and their side -> the same, changed."""

RAISED = 4.0
"""What z is raised by on its way through the mapping network: of 30,000 numbers drawn, one lies below -4."""

W_AVG_RATE = 0.005
"""How fast the mean code follows the codes of each training step."""


class GeneratorConfig(Settings):
    """What defines one generator; stored in every checkpoint."""

    resolution: int = Field(default=512, ge=16, le=1024, description="side of the faces, a power of two")
    latent: int = Field(default=512, ge=16, description="length of z and of a code w")
    mapping: int = Field(default=8, ge=1, description="layers of the mapping network")
    channel_base: int = Field(default=32768, ge=256, description="channels of a scale are base / side, ...")
    max_channels: int = Field(default=512, ge=8, description="... and this at most")

    @field_validator("resolution")
    @classmethod
    def _power(cls, side: int) -> int:
        if side & (side - 1):
            raise ValueError(f"{side} is no power of two")
        return side

    @property
    def sides(self) -> list[int]:
        """4, 8, ... up to the resolution."""
        return [2**level for level in range(2, int(math.log2(self.resolution)) + 1)]

    @property
    def codes(self) -> int:
        """How many codes lead all layers: 2·log2(resolution) - 2."""
        return 2 * len(self.sides)

    def channels_at(self, side: int) -> int:
        """Channels at a scale."""
        return min(self.channel_base // side, self.max_channels)


class Mapping(nn.Module):
    """z ~ N(0, I) -> w (§1): normalised, then fully connected layers that learn a hundred times slower.

    Shape: (B, latent) -> (B, latent).
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualLinear(config.latent, config.latent, rate=0.01) for _ in range(config.mapping)
        )

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = activate(layer(x))
        return x


class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, activation.

    Shape: (B, inputs, H, W), (B, latent) and (B or 1, 1, h, w) -> (B, outputs, h, w).
    """

    def __init__(self, inputs: int, outputs: int, latent: int, *, up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, latent, up=up)
        self.noise = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, code: Tensor, noise: Tensor) -> Tensor:
        return activate(self.conv(x, code) + self.noise * noise + self.bias[:, None, None])


class ToRGB(nn.Module):
    """Features -> RGB in about [-1, 1], on top of the smaller scale's.

    Shape: (B, inputs, H, W), (B, latent) and (B, 3, H/2, W/2) or None -> (B, 3, H, W).
    """

    def __init__(self, inputs: int, latent: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, 3, 1, latent, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, code: Tensor, below: Tensor | None) -> Tensor:
        colour = self.conv(x, code) + self.bias[:, None, None]
        return colour if below is None else colour + enlarge(below)


class Generator(nn.Module):
    """Codes and noise -> a face.

    Attributes:
        w_avg: (latent,), moving average of w: what truncation draws codes towards.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config)
        self.constant = nn.Parameter(torch.randn(1, config.channels_at(4), 4, 4))
        widths = [config.channels_at(side) for side in config.sides]
        before = [widths[0], *widths[:-1]]
        # The first scale has one layer, all others two, of which the first doubles the size.
        self.first = nn.ModuleList(
            StyledLayer(wide, width, config.latent, up=True)
            for wide, width in zip(before[1:], widths[1:], strict=True)
        )
        self.second = nn.ModuleList(StyledLayer(width, width, config.latent, up=False) for width in widths)
        self.to_rgbs = nn.ModuleList(ToRGB(width, config.latent) for width in widths)
        self.register_buffer("w_avg", torch.zeros(config.latent))
        self.w_avg: Tensor

    def forward(self, z: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """z (B, latent) or W+ (B, codes, latent) -> (B, 3, R, R) in about [-1, 1]; `draw_noise` for noise."""
        return self.synthesise(self.broadcast_latent(self.mapping(z)) if z.ndim == 2 else z, noise)

    def broadcast_latent(self, code: Tensor) -> Tensor:
        """One code w (B, latent) for all layers -> W+ (B, codes, latent)."""
        return code[:, None].expand(-1, self.config.codes, -1)

    def truncate(self, codes: Tensor, share: float) -> Tensor:
        """Draw codes (…, latent) towards their mean: 1 leaves them, 0 gives the mean face."""
        return self.w_avg + share * (codes - self.w_avg)

    @torch.no_grad()
    def update_mean_latent(self, codes: Tensor) -> None:
        """Let the mean code follow a training step's codes (..., latent)."""
        mean = codes.flatten(0, -2).mean(dim=0)
        self.w_avg.lerp_(mean.to(self.w_avg), W_AVG_RATE)

    @torch.no_grad()
    def fit_mapping(self, codes: Tensor) -> None:
        """Set the mapping network so that z ~ N(0, I) is led to the normal distribution of codes (N, latent).

        Exactly: all layers but the last copy z, raised by so much that no kink of an activation touches it;
        the last holds mean and covariance. Normal are the codes before the last activation.
        """
        self.w_avg.copy_(codes.mean(dim=0))
        before = deactivate(codes)
        variances, axes = torch.linalg.eigh(torch.cov(before.T))
        root = axes * variances.clamp(min=0.0).sqrt()  # root @ z has the covariance
        mean = before.mean(dim=0)
        layers: list[Any] = list(self.mapping.layers)
        *copying, last = layers
        copy = torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
        for number, layer in enumerate(copying):
            first = number == 0
            layer.set(copy if first else copy / GAIN, torch.full_like(mean, RAISED if first else 0.0))
        if copying:
            last.set(root / GAIN, mean - RAISED * root.sum(dim=1))
        else:
            last.set(root, mean)

    def synthesise(self, codes: Tensor, noise: Sequence[Tensor], lead: Lead | None = None) -> Tensor:
        """Codes W+ (B, codes, latent) -> (B, 3, R, R) in about [-1, 1].

        Args:
            noise: one picture for each layer, as `draw_noise` and `silence` make them.
            lead: changes the features after each scale, before they become to_rgbs.

        Raises:
            ValueError: there are more or fewer codes than layers.
        """
        if codes.shape[1:] != (self.config.codes, self.config.latent):
            raise ValueError(
                f"codes {tuple(codes.shape)} must be (B, {self.config.codes}, {self.config.latent})"
            )
        x = self.constant.expand(len(codes), -1, -1, -1)
        colour: Tensor | None = None
        for level, (second, to_colour) in enumerate(zip(self.second, self.to_rgbs, strict=True)):
            # A scale's colours take the code of the next scale's first layer, as StyleGAN2 counts them.
            if level > 0:
                x = self.first[level - 1](x, codes[:, 2 * level - 1], noise[2 * level - 1])
            x = second(x, codes[:, 2 * level], noise[2 * level])
            if lead is not None:
                x = lead(x, self.config.sides[level])
            colour = to_colour(x, codes[:, 2 * level + 1], colour)
        assert colour is not None
        return colour

    def sample_noise(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """Noise for each layer (count, 1, side, side), on the generator's device."""
        sides = [4, *(side for side in self.config.sides[1:] for _ in range(2))]
        return [
            torch.randn(count, 1, side, side, generator=generator, device=generator.device) for side in sides
        ]

    def zero_noise(self) -> list[Tensor]:
        """No noise for any layer: the same codes, the same face."""
        return [self.constant.new_zeros(1, 1, 1, 1)] * (self.config.codes - 1)
