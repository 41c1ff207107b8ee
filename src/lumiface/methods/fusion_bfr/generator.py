"""The generative prior: StyleGAN2's generator at a power-of-two resolution (Karras et al. 2020, Fig. 2c, 7b).

One latent w per layer (W+), noise per pixel, and RGB outputs summed over the scales. A feature hook can
change the features of each scale: that is how the restorer conditions the generator on an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.draws import Request, draw_all
from lumiface.core.settings import PowerOfTwo, Settings
from lumiface.methods.fusion_bfr.precision import float32_math, in_float32, to_float32
from lumiface.methods.fusion_bfr.resampling_conv import upsample
from lumiface.methods.fusion_bfr.style_layers import (
    GAIN,
    EqualLinear,
    ModulatedConv2d,
    activate,
    deactivate,
)

FeatureHook = Callable[[Tensor, int], Tensor]
"""Features (B, C, H, W) and their resolution -> changed features of the same shape."""

Z_OFFSET = 4.0
"""Added to z on its way through a fitted mapping network: one of 30,000 samples of N(0, 1) lies below -4."""

W_AVG_RATE = 0.005
"""Rate of the moving average of w, per training step."""


class GeneratorConfig(Settings):
    """The configuration of a generator; stored in every checkpoint."""

    old_names: ClassVar[Mapping[str, str]] = {"base": "channel_base", "most": "max_channels"}

    resolution: PowerOfTwo = Field(
        default=512, ge=16, le=1024, description="size of the faces, a power of two"
    )
    latent: int = Field(default=512, ge=16, description="length of z and of w")
    mapping: int = Field(default=8, ge=1, description="layers of the mapping network")
    channel_base: int = Field(
        default=32768, ge=256, description="channels at resolution r = min(channel_base / r, max_channels)"
    )
    max_channels: int = Field(default=512, ge=8, description="upper limit of the channels of a scale")

    @property
    def resolutions(self) -> list[int]:
        """4, 8, ... up to the resolution."""
        return [2**level for level in range(2, int(math.log2(self.resolution)) + 1)]

    @property
    def num_latents(self) -> int:
        """Number of latents in W+: 2·log2(resolution) - 2."""
        return 2 * len(self.resolutions)

    def channels_at(self, resolution: int) -> int:
        """Channels of the scale of this resolution."""
        return min(self.channel_base // resolution, self.max_channels)


class MappingNetwork(nn.Module):
    """z ~ N(0, I) -> w (§1): normalisation, then fully connected layers with 1/100 of the learning rate.

    Shape: (B, latent) -> (B, latent).
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualLinear(config.latent, config.latent, lr_multiplier=0.01) for _ in range(config.mapping)
        )

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        with float32_math(z):
            for layer in self.layers:
                x = activate(layer(x))
        return x


class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, activation.

    Shape: (B, in_channels, H, W), (B, latent) and (B or 1, 1, h, w) -> (B, out_channels, h, w).
    """

    def __init__(self, in_channels: int, out_channels: int, latent: int, *, up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, latent, up=up)
        self.noise = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        return activate(self.conv(x, w) + self.noise * noise + self.bias[:, None, None])


class ToRGB(nn.Module):
    """Features -> RGB in about [-1, 1], added to the upsampled RGB of the previous scale.

    Shape: (B, in_channels, H, W), (B, latent) and (B, 3, H/2, W/2) or None -> (B, 3, H, W).
    """

    def __init__(self, in_channels: int, latent: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, 3, 1, latent, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor, previous: Tensor | None) -> Tensor:
        rgb = self.conv(x, w) + self.bias[:, None, None]
        with float32_math(x):
            return rgb if previous is None else rgb + upsample(previous)


class Generator(nn.Module):
    """Latents and noise -> a face.

    Attributes:
        w_avg: (latent,), moving average of w: the centre of truncation.
    """

    old_child_names: ClassVar[dict[str, str]] = {"mean_code": "w_avg", "colours": "to_rgbs"}

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.constant = nn.Parameter(torch.randn(1, config.channels_at(4), 4, 4))
        widths = [config.channels_at(resolution) for resolution in config.resolutions]
        in_channels = [widths[0], *widths[:-1]]
        # The 4x4 scale has one layer, all others two, of which the first doubles the resolution.
        self.first = nn.ModuleList(
            StyledLayer(before, after, config.latent, up=True)
            for before, after in zip(in_channels[1:], widths[1:], strict=True)
        )
        self.second = nn.ModuleList(StyledLayer(width, width, config.latent, up=False) for width in widths)
        self.to_rgbs = nn.ModuleList(ToRGB(width, config.latent) for width in widths)
        self.register_buffer("w_avg", torch.zeros(config.latent))
        self.w_avg: Tensor

    def forward(self, z: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """z (B, latent) or W+ (B, num_latents, latent) -> (B, 3, R, R) in about [-1, 1].

        Args:
            z: two dimensions: z; three: W+.
            noise: one map per layer, from `sample_noise` or `zero_noise`.
        """
        return self.synthesise(self.broadcast_latent(self.mapping(z)) if z.ndim == 2 else z, noise)

    def broadcast_latent(self, w: Tensor) -> Tensor:
        """One w (B, latent) for all layers -> W+ (B, num_latents, latent)."""
        return w[:, None].expand(-1, self.config.num_latents, -1)

    def truncate(self, latents: Tensor, psi: float) -> Tensor:
        """Truncation: move latents (..., latent) towards `w_avg`; psi 1 keeps them, 0 gives the mean face."""
        return self.w_avg + psi * (latents - self.w_avg)

    @torch.no_grad()
    def update_mean_latent(self, latents: Tensor) -> None:
        """Update `w_avg` with the latents (..., latent) of a training step."""
        mean = latents.flatten(0, -2).mean(dim=0)
        self.w_avg.lerp_(mean.to(self.w_avg), W_AVG_RATE)

    @torch.no_grad()
    def fit_mapping(self, latents: Tensor) -> None:
        """Set the mapping network so that z ~ N(0, I) maps to a normal distribution fitted to (N, latent).

        Exact: all layers but the last copy z, shifted by so much that the activations stay in their linear
        range; the last one holds mean and covariance. The distribution is normal before the last activation.
        """
        self.w_avg.copy_(latents.mean(dim=0))
        before = deactivate(latents)
        variances, axes = torch.linalg.eigh(torch.cov(before.T))
        root = axes * variances.clamp(min=0.0).sqrt()  # root @ z has the covariance
        mean = before.mean(dim=0)
        layers: list[Any] = list(self.mapping.layers)
        *copying, last = layers
        identity = torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
        for index, layer in enumerate(copying):
            first = index == 0
            layer.set(
                identity if first else identity / GAIN, torch.full_like(mean, Z_OFFSET if first else 0.0)
            )
        if copying:
            last.set(root / GAIN, mean - Z_OFFSET * root.sum(dim=1))
        else:
            last.set(root, mean)

    def synthesise(
        self, latents: Tensor, noise: Sequence[Tensor], feature_hook: FeatureHook | None = None
    ) -> Tensor:
        """W+ (B, num_latents, latent) -> (B, 3, R, R) in about [-1, 1].

        Args:
            latents: one w per layer.
            noise: one map per layer, from `sample_noise` or `zero_noise`.
            feature_hook: changes the features of each scale before they are converted to RGB.

        Raises:
            ValueError: the number or the length of the latents does not fit this generator.
        """
        if latents.shape[1:] != (self.config.num_latents, self.config.latent):
            raise ValueError(
                f"latents {tuple(latents.shape)} must be (B, {self.config.num_latents}, {self.config.latent})"
            )
        latents = to_float32(latents)
        x = self.constant.expand(len(latents), -1, -1, -1)
        rgb: Tensor | None = None
        for level, (second, to_rgb) in enumerate(zip(self.second, self.to_rgbs, strict=True)):
            # As in StyleGAN2, the RGB layer of a scale shares its latent with the next scale's first layer.
            size = self.config.resolutions[level]
            precise = in_float32(size, self.config.resolution)
            with float32_math(x, when=precise):
                if level > 0:
                    x = self.first[level - 1](x, latents[:, 2 * level - 1], noise[2 * level - 1])
                x = second(x, latents[:, 2 * level], noise[2 * level])
            if feature_hook is not None:
                x = to_float32(feature_hook(x, size))
            with float32_math(x, when=precise):
                rgb = to_rgb(x, latents[:, 2 * level + 1], rgb)
        assert rgb is not None
        return rgb

    def sample_noise(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """One noise map per layer, (count, 1, r, r), on the generator's device."""
        sizes = [4, *(size for size in self.config.resolutions[1:] for _ in range(2))]
        return draw_all([Request("randn", (count, 1, size, size)) for size in sizes], generator)

    def zero_noise(self) -> list[Tensor]:
        """Zero noise for all layers: equal latents give equal faces."""
        return [self.constant.new_zeros(1, 1, 1, 1)] * (self.config.num_latents - 1)
