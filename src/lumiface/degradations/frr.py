"""Darkening, blur, downscaling, noise and compression, for the semi-supervised 3D-prior enhancer.

Paper: semi-supervised low-light face enhancement by a diffusion 3D prior and distillation, section 4.1, which
degrades FFHQ by the strategy of FRR-Net (Pouyanfar et al., CVPR Workshops 2023). The size is kept:

    dark = gain · I^gamma                    darken, by a power and linearly
    soft = enlarge(shrink(blur(dark)))       Gaussian blur, isotropic or not; bicubic down and up by a factor
    bad  = JPEG(soft + noise)                variance shot · soft + read²; quality of the IJG's scale

Unknown: all of FRR-Net's numbers. The paper names the strategy and prints nothing of it.
NOTE(paper): the ranges here are our choice. 114 normally lit faces of CelebA-HQ and FFHQ, 256 pixels, get a
mean luma of 0.14, nine in ten below 0.25; after inverting the true gain and gamma, the remaining degradation
leaves 24.6 dB and an SSIM of 0.68 (100 brighter studio portraits: 0.20, 25.3 dB, 0.75).
NOTE(paper): whether noise and JPEG are applied before or after enlarging to the full size is a choice, too:
`noise_at` has both. "small" is the usual order in training restorers of small faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.draws import RandomSource, rand, randn
from lumiface.core.settings import Settings
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.lowlight import expand_bchw, sensor_noise
from lumiface.degradations.parameters import (
    Range,
    SampledParameters,
    scale_to_range,
    to_int_range,
    validate_ranges,
)
from lumiface.degradations.rescale import enlarge, reduced_sizes, repeat_edges, shrink
from lumiface.imaging.quantize import quantize


class FRRConfig(Settings):
    """The ranges (low, high) that parameters are sampled from, uniformly per picture, both ends included."""

    gamma: Range = Field(default=(1.5, 3.5), description="power of the darkening, above 0; 1: none")
    gain: Range = Field(default=(0.3, 0.8), description="factor of the darkening, above 0; 1: none")
    sigma: Range = Field(default=(0.2, 2.0), description="standard deviations of the blur, pixels, 0 or more")
    isotropic: float = Field(default=0.5, ge=0.0, le=1.0, description="probability of an isotropic blur")
    factor: Range = Field(default=(1.0, 3.0), description="intermediate downscale factor, 1 or more")
    shot: Range = Field(default=(0.0, 0.001), description="variance of the noise per unit of light")
    read: Range = Field(
        default=(0.0, 0.01), description="standard deviation of the noise in black, on the [0, 1] scale"
    )
    quality: tuple[int, int] = Field(default=(60, 95), description="JPEG quality, 1 to 100")
    halve_chroma: bool = Field(default=True, description="JPEG as 4:2:0 instead of 4:4:4")
    noise_at: Literal["full", "small"] = Field(
        default="full", description="size at which noise and JPEG are applied: full or intermediate"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = {"gamma": (1e-3, math.inf), "gain": (1e-3, math.inf), "factor": (1.0, math.inf)}
        bounds |= {"quality": (1.0, 100.0)}
        validate_ranges(self, dict.fromkeys(("sigma", "shot", "read"), (0.0, math.inf)) | bounds)
        return self


@dataclass(frozen=True, slots=True, eq=False)
class FRRParameters(SampledParameters):
    """The parameters of a batch, (B,) each; together with the noise they determine the result.

    Attributes:
        gamma, gain: of the darkening.
        sigma_x, sigma_y, angle: of the blur, pixels and radians.
        factor: intermediate downscale factor.
        shot, read: of the noise, see the module.
        quality: of JPEG, int64.
        radius: of the kernels, pixels, common to all.
        halve_chroma, noise_at: as in `FRRConfig`.
    """

    gamma: Tensor
    gain: Tensor
    sigma_x: Tensor
    sigma_y: Tensor
    angle: Tensor
    factor: Tensor
    shot: Tensor
    read: Tensor
    quality: Tensor
    radius: int
    halve_chroma: bool = True
    noise_at: Literal["full", "small"] = "full"

    def __len__(self) -> int:
        return len(self.gamma)


PARAMETERS = tuple(field.name for field in fields(FRRParameters))[:9]
"""The names of the sampled parameters."""


def sample_frr(
    count: int,
    config: FRRConfig,
    generator: RandomSource,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> FRRParameters:
    """Sample the parameters of `count` pictures, on the generator's device, then move them.

    So a CPU generator gives the same training run on every device. The number of random values does not
    depend on the config, so changing one range changes no other value.
    """
    unit = rand((10, count), generator, dtype)

    sigma_x = scale_to_range(config.sigma, unit[2])
    sigma_y = torch.where(unit[9] < config.isotropic, sigma_x, scale_to_range(config.sigma, unit[3]))
    return FRRParameters(
        gamma=scale_to_range(config.gamma, unit[0]),
        gain=scale_to_range(config.gain, unit[1]),
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        angle=math.pi * unit[4],
        factor=scale_to_range(config.factor, unit[5]),
        shot=scale_to_range(config.shot, unit[6]),
        read=scale_to_range(config.read, unit[7]),
        quality=to_int_range(config.quality, unit[8]),
        radius=blur_radius(config.sigma[1]),
        halve_chroma=config.halve_chroma,
        noise_at=config.noise_at,
    ).to(device)


def apply_frr(pictures: Tensor, parameters: FRRParameters, generator: RandomSource) -> Tensor:
    """Degrade (B, 3, H, W) pictures in [0, 1], each by its own parameters, on the pictures' device.

    Args:
        generator: samples the noise; required, so that no run is random by accident.

    Returns:
        The same shape and type, on the 8-bit grid in [0, 1].
    """
    normal = randn(pictures.shape, generator, pictures.dtype)
    return apply_frr_with(pictures, parameters, normal.to(pictures.device))


def apply_frr_with(pictures: Tensor, parameters: FRRParameters, normal: Tensor) -> Tensor:
    """The deterministic part of the degradation, given its standard normal noise (B, 3, H, W).

    At the intermediate size the values in the upper left corner are used.
    """
    p = parameters
    dark = expand_bchw(p.gain) * pictures.pow(expand_bchw(p.gamma))
    soft = blur(dark, gaussian_kernels(p.sigma_x, p.sigma_y, p.angle, p.radius).to(dark))
    sizes = reduced_sizes(pictures.shape[-2], pictures.shape[-1], p.factor)
    small = shrink(soft, sizes).clamp(0.0, 1.0)
    if p.noise_at == "full":
        full = enlarge(small, sizes).clamp(0.0, 1.0)
        return jpeg(sensor_noise(full, p.shot, p.read, normal), p.quality, halve_chroma=p.halve_chroma)
    noisy = repeat_edges(sensor_noise(small, p.shot, p.read, normal), sizes)
    coded = jpeg(noisy, p.quality, halve_chroma=p.halve_chroma)
    return quantize(enlarge(coded, sizes))
