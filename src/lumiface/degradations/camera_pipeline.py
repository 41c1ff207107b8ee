"""Dark, small faces as a camera takes and stores them: little light, blur, the sensor's noise, JPEG.

The LLF benchmark's formula (`lowlight`) leaves hardly any noise and knows no picture in good light; a network
that learnt from it alone draws noise as texture and brightens what is bright. Here

    dark  = gain · shadow · I^gamma          a tenth of the pictures keep their light: gain = gamma = 1
    small = blur(shrink(dark))               bicubic, antialiased, by the network's scale; a Gaussian
    bad   = JPEG(small + noise)              variance shot · small + read², at the size of the photograph

The shadow is 1 at one place and less elsewhere, smoothly, so that a face may stand against the light.

The ranges are ours: gamma leans towards 1, because less light is a factor in what a sensor counts, and a
power only where somebody or something has bent the curve. Noise and JPEG lean towards none: a network that
always meets them takes the faint detail of a clean, dark picture for noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.settings import Settings
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.lowlight import per_picture, sensor_noise
from lumiface.degradations.parameters import (
    Range,
    SampledParameters,
    scale_to_range,
    to_int_range,
    validate_ranges,
)
from lumiface.degradations.resample import resize


class CameraConfig(Settings):
    """The ranges (low, high) that a picture's damage is drawn from."""

    lit: float = Field(default=0.1, ge=0, le=1, description="share of pictures that keep their light")
    gain: Range = Field(default=(0.3, 1.0), description="factor of the darkening; its logarithm is uniform")
    gamma: Range = Field(default=(1.0, 5.0), description="power of the darkening; small ones come more often")
    shade: Range = Field(
        default=(0.0, 0.7), description="deviation of the shadow's logarithm; small ones come more often"
    )
    sigma: Range = Field(default=(0.0, 0.8), description="deviation of the blur, pixels of the small picture")
    shot: Range = Field(
        default=(0.0, 0.002), description="variance of the noise per unit of light; small ones are frequent"
    )
    read: Range = Field(
        default=(0.0, 0.012), description="deviation of the noise in black, of 1; small ones are frequent"
    )
    quality: tuple[int, int] = Field(
        default=(75, 100), description="of JPEG, 1 to 100; high ones come more often"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = {"gain": (1e-3, 1.0), "gamma": (1e-3, math.inf), "quality": (1.0, 100.0)}
        validate_ranges(self, dict.fromkeys(("shade", "sigma", "shot", "read"), (0.0, math.inf)) | bounds)
        return self


CAMERA = CameraConfig()

COARSE = (3, 3)
"""Independent numbers in a shadow: left, middle, right; above, at, below the face."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraParameters(SampledParameters):
    """What was drawn for a batch, (B,) each; with the same noise they make the same pictures again.

    Attributes:
        gain, gamma: of the darkening.
        shade: deviation of the shadow's logarithm.
        sigma: of the blur, pixels of the small picture.
        shot, read: of the noise.
        quality: of JPEG, int64.
        largest: sigma that may come, one for all: it decides the kernels' size.
    """

    gain: Tensor
    gamma: Tensor
    shade: Tensor
    sigma: Tensor
    shot: Tensor
    read: Tensor
    quality: Tensor
    largest: float

    def __len__(self) -> int:
        return len(self.gain)


def sample_camera(
    count: int, config: CameraConfig, generator: torch.Generator, device: torch.device | str
) -> CameraParameters:
    """Draw the damage of `count` pictures, from the caller's generator and where it lives, then move it.

    All numbers are drawn whatever the config says, and a range that is changed changes no other number.
    """
    unit = torch.rand((8, count), generator=generator, device=generator.device)

    dark = unit[0] >= config.lit
    gain = scale_to_range((math.log(config.gain[0]), math.log(config.gain[1])), unit[1]).exp()
    gamma = scale_to_range(config.gamma, unit[2].square())
    return CameraParameters(
        gain=torch.where(dark, gain, torch.ones_like(gain)),
        gamma=torch.where(dark, gamma, torch.ones_like(gamma)),
        shade=torch.where(dark, scale_to_range(config.shade, unit[7].square()), torch.zeros_like(gain)),
        sigma=scale_to_range(config.sigma, unit[3]),
        shot=scale_to_range(config.shot, unit[4].square()),
        read=scale_to_range(config.read, unit[5].square()),
        quality=to_int_range(config.quality, 1.0 - unit[6].square()),
        largest=config.sigma[1],
    ).to(device)


def apply_camera(
    pictures: Tensor, parameters: CameraParameters, scale: int, generator: torch.Generator
) -> Tensor:
    """(B, 3, H, W) bright pictures in [0, 1] -> dark ones (B, 3, H / scale, W / scale) on the 8-bit grid.

    Args:
        generator: draws the shadow and the noise; required, so that no run is random by accident.
    """
    p, (height, width) = parameters, pictures.shape[-2:]
    shape = (len(pictures), 3, height // scale, width // scale)
    normal = torch.randn(shape, generator=generator, device=generator.device, dtype=pictures.dtype)
    shadow = _shadow(p.shade, (height, width), generator)
    dark = per_picture(p.gain) * shadow * pictures.pow(per_picture(p.gamma))
    kernels = gaussian_kernels(p.sigma, p.sigma, torch.zeros_like(p.sigma), max(1, blur_radius(p.largest)))
    small = blur(resize(dark, shape[-2:]).clamp(0.0, 1.0), kernels.to(dark))
    return jpeg(sensor_noise(small, p.shot, p.read, normal.to(small.device)), p.quality)


def simulate_camera(pictures: Tensor, config: CameraConfig, scale: int, generator: torch.Generator) -> Tensor:
    """`apply_camera` with damage drawn from the same generator."""
    return apply_camera(
        pictures, sample_camera(len(pictures), config, generator, pictures.device), scale, generator
    )


def _shadow(shade: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """(B,) deviations of its logarithm -> (B, 1, H, W) smooth factors, of which the largest is 1."""
    coarse = torch.randn((len(shade), 1, *COARSE), generator=generator, device=generator.device)
    smooth = F.interpolate(coarse.to(shade.device), size=size, mode="bicubic", align_corners=True)
    return torch.exp(per_picture(shade) * (smooth - smooth.amax(dim=(2, 3), keepdim=True)))
