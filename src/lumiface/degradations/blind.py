"""Degradation of unknown kind and strength, for training and testing blind face restoration.

Paper: blind face restoration by feature fusion and embedding optimisation, section 2, which takes the
degradation of its reference 1, DFDNet (Li et al., ECCV 2020), and prints no ranges. The size is kept, the
result lies on the 8-bit grid:

    I_d = enlarge(JPEG_q((I ⊗ k_σ)↓_r + n_δ))       k Gaussian, isotropic or not; ↓_r with antialiasing

followed by a colour shift of some pictures and the removal of all colour from others.

NOTE(paper): the form is that of both; the ranges, the colour shift and the grey are those of GFPGAN (Wang et
al., CVPR 2021, equation 9 and its published settings), which the paper names as a rival only. DFDNet also has
motion blur, and GFPGAN's settings a second change of brightness, contrast, saturation and hue: neither is
here. GFPGAN's r begins at 0.8; a picture enlarged by that and reduced again has lost nothing, so r below 1
leaves the size here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.draws import RandomSource, rand, randn
from lumiface.core.settings import Settings
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.lowlight import expand_bchw, sensor_variance
from lumiface.degradations.parameters import (
    Range,
    SampledParameters,
    scale_to_range,
    to_int_range,
    validate_ranges,
)
from lumiface.degradations.rescale import enlarge, reduced_sizes, repeat_edges, shrink
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import quantize


class BlindConfig(Settings):
    """The ranges (low, high) that parameters are sampled from, uniformly per picture, both ends included."""

    sigma: Range = Field(
        default=(0.1, 10.0),
        description="standard deviations of the blur, pixels at 512 x 512; scaled to other sizes",
    )
    isotropic: float = Field(default=0.5, ge=0.0, le=1.0, description="probability of an isotropic blur")
    factor: Range = Field(default=(0.8, 8.0), description="r: intermediate downscale factor")
    noise: Range = Field(default=(0.0, 20.0), description="δ: standard deviation of the noise, 8-bit levels")
    quality: tuple[int, int] = Field(default=(60, 100), description="q: JPEG quality, 1 to 100")
    colour: float = Field(default=0.3, ge=0.0, le=1.0, description="probability of a colour shift")
    shift: float = Field(
        default=20.0 / 255.0, ge=0.0, le=1.0, description="largest shift of R, G or B, on the [0, 1] scale"
    )
    grey: float = Field(default=0.01, ge=0.0, le=1.0, description="probability of a grey picture")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = {"sigma": (0.0, math.inf), "factor": (1e-3, math.inf), "noise": (0.0, 255.0)}
        validate_ranges(self, bounds | {"quality": (1.0, 100.0)})
        return self


@dataclass(frozen=True, slots=True, eq=False)
class BlindParameters(SampledParameters):
    """The parameters of a batch, (B,) each; together with the noise they determine the result.

    Attributes:
        sigma_x, sigma_y, angle: of the blur, pixels of the picture's own size, and radians.
        factor: intermediate downscale factor, 1 or more.
        noise: δ, on the [0, 1] scale.
        quality: of JPEG, int64.
        red, green, blue: colour shifts, on the [0, 1] scale; 0 for most pictures.
        grey: 1.0 for pictures that become grey, else 0.0.
        radius: of the kernels, pixels, common to all.
    """

    sigma_x: Tensor
    sigma_y: Tensor
    angle: Tensor
    factor: Tensor
    noise: Tensor
    quality: Tensor
    red: Tensor
    green: Tensor
    blue: Tensor
    grey: Tensor
    radius: int

    def __len__(self) -> int:
        return len(self.factor)


PARAMETERS = tuple(field.name for field in fields(BlindParameters))[:10]
"""The names of the sampled parameters."""


def sample_blind(
    count: int,
    side: int,
    config: BlindConfig,
    generator: RandomSource,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> BlindParameters:
    """Sample the parameters of `count` pictures of `side` pixels, on the generator's device, then move them.

    The number of random values does not depend on the config, so changing one range changes no other value.
    """
    unit = rand((12, count), generator, dtype)

    pixels = side / 512.0
    sigma_x = scale_to_range(config.sigma, unit[0]) * pixels
    sigma_y = torch.where(unit[1] < config.isotropic, sigma_x, scale_to_range(config.sigma, unit[2]) * pixels)
    shifted = (unit[7] < config.colour).to(dtype) * config.shift
    return BlindParameters(
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        angle=math.pi * unit[3],
        factor=scale_to_range(config.factor, unit[4]).clamp(min=1.0),
        noise=scale_to_range(config.noise, unit[5]) / 255.0,
        quality=to_int_range(config.quality, unit[6]),
        red=shifted * (2.0 * unit[8] - 1.0),
        green=shifted * (2.0 * unit[9] - 1.0),
        blue=shifted * (2.0 * unit[10] - 1.0),
        grey=(unit[11] < config.grey).to(dtype),
        radius=max(1, blur_radius(config.sigma[1] * pixels)),
    ).to(device)


def apply_blind(pictures: Tensor, parameters: BlindParameters, generator: RandomSource) -> Tensor:
    """Degrade (B, 3, H, W) pictures in [0, 1], each by its own parameters, on the pictures' device.

    Args:
        generator: samples the noise; required, so that no run is random by accident.

    Returns:
        The same shape and type, on the 8-bit grid in [0, 1].
    """
    return damage(pictures, parameters, generator)


def damage(
    pictures: Tensor,
    parameters: BlindParameters,
    generator: RandomSource,
    *,
    level: Tensor | None = None,
    shot: Tensor | None = None,
    read: Tensor | None = None,
) -> Tensor:
    """`apply_blind` with more noise: of variance shot · light + read² + (δ · level)².

    Args:
        level: (B,), factor of δ and of the colour shift; None: 1.
        shot, read: (B,), of the sensor's noise, both or neither; None: none.
    """
    p = parameters
    normal = randn(pictures.shape, generator, pictures.dtype)
    soft = blur(pictures, gaussian_kernels(p.sigma_x, p.sigma_y, p.angle, p.radius).to(pictures))
    sizes = reduced_sizes(pictures.shape[-2], pictures.shape[-1], p.factor)
    small = shrink(soft, sizes)
    deviation = expand_bchw(p.noise if level is None else p.noise * level)
    if shot is not None and read is not None:
        deviation = (sensor_variance(small.clamp(min=0.0), shot, read) + deviation.square()).sqrt()
    noisy = repeat_edges((small + deviation * normal.to(small)).clamp(0.0, 1.0), sizes)
    degraded = enlarge(jpeg(noisy, p.quality), sizes)
    shift = torch.stack([p.red, p.green, p.blue], dim=1)[:, :, None, None]
    if level is not None:
        shift = shift * expand_bchw(level)
    degraded = (degraded + shift).clamp(0.0, 1.0)
    degraded = torch.where(expand_bchw(p.grey) > 0.0, luma(degraded).expand_as(degraded), degraded)
    return quantize(degraded)
