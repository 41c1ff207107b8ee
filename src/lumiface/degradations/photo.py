"""Mild damage of photographs in normal light, for training a network that enlarges them.

    I_low = JPEG_q((I↓ ⊗ k_σ) + n_δ)        ↓ bicubic, antialiased; k Gaussian, isotropic; n per channel

Weak damage is sampled more often than strong damage, and each kind is absent from some pictures: what such a
network is given has mostly been sharp and clean, and must not become smoother than it was. Without blur a
network learns to leave soft pictures soft; without noise and JPEG it sharpens grain and blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.draws import RandomSource, rand, randn
from lumiface.core.settings import Settings
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.lowlight import expand_bchw
from lumiface.degradations.parameters import SampledParameters, validate_ranges
from lumiface.degradations.resample import resize
from lumiface.imaging.quantize import quantize


class PhotoConfig(Settings):
    """The strongest damage; the range begins at none."""

    sigma: float = Field(default=0.7, ge=0, le=5, description="standard deviation of the blur, small pixels")
    blurred: float = Field(default=0.4, ge=0, le=1, description="probability of a blur")
    noise: float = Field(default=8.0, ge=0, le=255, description="standard deviation, 8-bit levels")
    noisy: float = Field(default=0.5, ge=0, le=1, description="probability of noise")
    quality: tuple[int, int] = Field(default=(60, 98), description="JPEG quality, 1 to 100")
    compressed: float = Field(default=0.5, ge=0, le=1, description="probability of JPEG compression")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        validate_ranges(self, {"quality": (1.0, 100.0)})
        return self


@dataclass(frozen=True, slots=True, eq=False)
class PhotoParameters(SampledParameters):
    """The parameters of a batch, (B,) each; together with the noise they determine the result.

    Attributes:
        sigma: of the blur, pixels of the small picture; 0 where there is none.
        noise: δ, on the [0, 1] scale; 0 where there is none.
        quality: of JPEG, int64; 0 where the picture is not compressed.
        radius: of the blur's kernels, pixels, common to all.
    """

    sigma: Tensor
    noise: Tensor
    quality: Tensor
    radius: int

    def __len__(self) -> int:
        return len(self.sigma)


def sample_photo(
    count: int,
    config: PhotoConfig,
    generator: RandomSource,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> PhotoParameters:
    """Sample the parameters of `count` pictures on the generator's device, then move them.

    The number of random values does not depend on the config, so changing one range changes no other value.
    """
    unit = rand((6, count), generator, dtype)
    zero = torch.zeros_like(unit[0])
    low, high = config.quality
    quality = (high - (high - low + 1) * unit[5].square()).ceil().clamp(low, high)  # high ones more often
    return PhotoParameters(
        sigma=torch.where(unit[0] < config.blurred, config.sigma * unit[1], zero),
        noise=torch.where(unit[2] < config.noisy, config.noise / 255.0 * unit[3].square(), zero),
        quality=torch.where(unit[4] < config.compressed, quality, zero).long(),
        radius=max(1, blur_radius(config.sigma)),
    ).to(device)


def apply_photo(pictures: Tensor, scale: int, parameters: PhotoParameters, generator: RandomSource) -> Tensor:
    """Reduce (B, 3, H, W) pictures in [0, 1] and damage each by its own parameters, on their device.

    Args:
        scale: H and W are multiples of it.
        generator: samples the noise; required, so that no run is random by accident.

    Returns:
        (B, 3, H / scale, W / scale), on the 8-bit grid in [0, 1].
    """
    p = parameters
    small = resize(pictures, (pictures.shape[-2] // scale, pictures.shape[-1] // scale)).clamp(0.0, 1.0)
    angle = torch.zeros_like(p.sigma)
    soft = blur(small, gaussian_kernels(p.sigma, p.sigma, angle, p.radius).to(small))
    normal = randn(small.shape, generator, small.dtype)
    noisy = quantize(soft + expand_bchw(p.noise) * normal.to(small))
    compressed = jpeg(noisy, p.quality.clamp(min=1))
    return torch.where(expand_bchw(p.quality) > 0, compressed, noisy)
