"""Damage of unknown kind and strength: what blind face restoration is trained and tested with.

Paper: blind face restoration by feature fusion and embedding optimisation, section 2, after GFPGAN (Wang et
al., CVPR 2021, equation 9) and DFDNet. Same size in and out, on the 8-bit grid:

    I_d = enlarge(JPEG_q((I ⊗ k_σ)↓_r + n_δ))       k Gaussian, round or not; r with antialiasing

and, as in GFPGAN's published settings, for some pictures shifted colours, and for some none at all.

NOTE(paper): the ranges are those of GFPGAN, which the paper names and does not print. Its r begins at 0.8; a
picture enlarged by that and brought back has lost nothing, so r below 1 leaves the size here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.settings import Settings
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.lowlight import per_picture
from lumiface.degradations.parameters import (
    Range,
    SampledParameters,
    scale_to_range,
    to_int_range,
    validate_ranges,
)
from lumiface.degradations.rescale import enlarge, repeat_edges, shrink, small_sides
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import to_uint8


class BlindConfig(Settings):
    """The ranges (low, high) that a picture's damage is drawn from, uniformly, both ends included."""

    sigma: Range = Field(
        default=(0.1, 10.0),
        description="deviations of the blur, pixels of a picture of 512; scaled to others",
    )
    isotropic: float = Field(default=0.5, ge=0.0, le=1.0, description="share of blurs that are round")
    factor: Range = Field(default=(0.8, 8.0), description="r: how many times smaller in between")
    noise: Range = Field(default=(0.0, 20.0), description="δ: deviation of the noise, 8-bit levels")
    quality: tuple[int, int] = Field(default=(60, 100), description="q: of JPEG, 1 to 100")
    colour: float = Field(default=0.3, ge=0.0, le=1.0, description="share of pictures with shifted colours")
    shift: float = Field(default=20.0 / 255.0, ge=0.0, le=1.0, description="largest shift of R, G or B, of 1")
    grey: float = Field(default=0.01, ge=0.0, le=1.0, description="share of pictures without colours")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = {"sigma": (0.0, math.inf), "factor": (1e-3, math.inf), "noise": (0.0, 255.0)}
        validate_ranges(self, bounds | {"quality": (1.0, 100.0)})
        return self


@dataclass(frozen=True, slots=True, eq=False)
class BlindParameters(SampledParameters):
    """What was drawn for a batch, (B,) each; with the same noise they make the same pictures again.

    Attributes:
        sigma_x, sigma_y, angle: of the blur, pixels of the picture at hand, and radians.
        factor: how many times smaller in between, 1 or more.
        noise: δ, of 1.
        quality: of JPEG, int64.
        red, green, blue: shifts, of 1; 0 for most pictures.
        grey: 1.0 for those that lose their colours, else 0.0.
        radius: of the kernels, pixels, one for all.
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
"""The names of what is drawn."""


def sample_blind(
    count: int,
    side: int,
    config: BlindConfig,
    generator: torch.Generator,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> BlindParameters:
    """Draw the damage of `count` pictures of `side` pixels, from the caller's generator, then move it.

    All numbers are drawn whatever the config says, and a range that is changed changes no other number.
    """
    unit = torch.rand((12, count), generator=generator, device=generator.device, dtype=dtype)

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


def apply_blind(pictures: Tensor, parameters: BlindParameters, generator: torch.Generator) -> Tensor:
    """Damage (B, 3, H, W) pictures in [0, 1], each by its own parameters, on the pictures' device.

    Args:
        generator: draws the noise; required, so that no run is random by accident.

    Returns:
        The same shape and type, on the 8-bit grid in [0, 1].
    """
    p = parameters
    normal = torch.randn(pictures.shape, generator=generator, device=generator.device, dtype=pictures.dtype)
    soft = blur(pictures, gaussian_kernels(p.sigma_x, p.sigma_y, p.angle, p.radius).to(pictures))
    sides = small_sides(pictures.shape[-2], pictures.shape[-1], p.factor)
    small = shrink(soft, sides)
    noisy = repeat_edges((small + per_picture(p.noise) * normal.to(small)).clamp(0.0, 1.0), sides)
    damaged = enlarge(jpeg(noisy, p.quality), sides)
    shift = torch.stack([p.red, p.green, p.blue], dim=1)[:, :, None, None]
    damaged = (damaged + shift).clamp(0.0, 1.0)
    damaged = torch.where(per_picture(p.grey) > 0.0, luma(damaged).expand_as(damaged), damaged)
    return to_uint8(damaged).to(pictures.dtype) / 255.0
