"""Simulated camera: dark, small faces with blur, sensor noise and JPEG compression.

The LLF benchmark's formula (`lowlight`) has hardly any noise and no well-lit picture; a network trained on it
alone turns noise into texture and brightens pictures that are bright already. Here

    dark  = gain · shadow · I^gamma          a tenth of the pictures keep their light: gain = gamma = 1
    small = blur(shrink(dark))               bicubic, antialiased, by the network's scale; a Gaussian
    bad   = JPEG(small + noise)              variance shot · small + read², at the size of the photograph

The shadow is a smooth map with a maximum of 1; it simulates backlit faces.

The ranges are our choice. Gamma is biased towards 1, because less light scales the sensor's counts linearly;
a power arises only from a changed tone curve. Noise and JPEG are biased towards none: a network that is
always trained with them treats the faint detail of a clean, dark picture as noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
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
from lumiface.degradations.resample import resize


class CameraConfig(Settings):
    """The ranges (low, high) that each picture's parameters are sampled from."""

    lit: float = Field(default=0.1, ge=0, le=1, description="fraction of pictures that keep their light")
    gain: Range = Field(default=(0.3, 1.0), description="factor of the darkening; its logarithm is uniform")
    gamma: Range = Field(default=(1.0, 5.0), description="power of the darkening; biased towards the low end")
    shade: Range = Field(
        default=(0.0, 0.7),
        description="standard deviation of the shadow's logarithm; biased towards the low end",
    )
    sigma: Range = Field(
        default=(0.0, 0.8), description="standard deviation of the blur, pixels of the small picture"
    )
    shot: Range = Field(
        default=(0.0, 0.002),
        description="variance of the noise per unit of light; biased towards the low end",
    )
    read: Range = Field(
        default=(0.0, 0.012),
        description="standard deviation of the noise in black, in [0, 1] units; biased towards the low end",
    )
    quality: tuple[int, int] = Field(
        default=(75, 100), description="JPEG quality, 1 to 100; biased towards the high end"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = {"gain": (1e-3, 1.0), "gamma": (1e-3, math.inf), "quality": (1.0, 100.0)}
        validate_ranges(self, dict.fromkeys(("shade", "sigma", "shot", "read"), (0.0, math.inf)) | bounds)
        return self


CAMERA = CameraConfig()

COARSE = (3, 3)
"""Rows and columns of independent values in a shadow: above, at, below the face; left, centre, right."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraParameters(SampledParameters):
    """The parameters of a batch, (B,) each; together with shadow and noise they determine the result.

    Attributes:
        gain, gamma: of the darkening.
        shade: standard deviation of the shadow's logarithm.
        sigma: of the blur, pixels of the small picture.
        shot, read: of the noise.
        quality: of JPEG, int64.
        max_sigma: upper end of sigma's range, common to all: it determines the kernels' size.
    """

    gain: Tensor
    gamma: Tensor
    shade: Tensor
    sigma: Tensor
    shot: Tensor
    read: Tensor
    quality: Tensor
    max_sigma: float

    def __len__(self) -> int:
        return len(self.gain)


def sample_camera(
    count: int, config: CameraConfig, generator: RandomSource, device: torch.device | str
) -> CameraParameters:
    """Sample the parameters of `count` pictures, on the generator's device, then move them.

    The number of random values does not depend on the config, so changing one range changes no other value.
    """
    unit = rand((8, count), generator)

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
        max_sigma=config.sigma[1],
    ).to(device)


def apply_camera(
    pictures: Tensor, parameters: CameraParameters, scale: int, generator: RandomSource
) -> Tensor:
    """(B, 3, H, W) bright pictures in [0, 1] -> dark ones (B, 3, H / scale, W / scale) on the 8-bit grid.

    Args:
        generator: samples the shadow and the noise; required, so that no run is random by accident.
    """
    p, (height, width) = parameters, pictures.shape[-2:]
    shape = (len(pictures), 3, height // scale, width // scale)
    normal = randn(shape, generator, pictures.dtype)
    dark = expose(pictures, p.gain, p.gamma, p.shade, generator)
    kernels = gaussian_kernels(p.sigma, p.sigma, torch.zeros_like(p.sigma), max(1, blur_radius(p.max_sigma)))
    small = blur(resize(dark, shape[-2:]).clamp(0.0, 1.0), kernels.to(dark))
    return jpeg(sensor_noise(small, p.shot, p.read, normal.to(small.device)), p.quality)


def simulate_camera(pictures: Tensor, config: CameraConfig, scale: int, generator: RandomSource) -> Tensor:
    """`apply_camera` with parameters sampled from the same generator."""
    return apply_camera(
        pictures, sample_camera(len(pictures), config, generator, pictures.device), scale, generator
    )


def expose(pictures: Tensor, gain: Tensor, gamma: Tensor, shade: Tensor, generator: RandomSource) -> Tensor:
    """gain · shadow · I^gamma: the darkening by itself.

    Args:
        pictures: (B, 3, H, W) in [0, 1]. gain, gamma, shade: (B,), see `CameraParameters`.
        generator: samples the shadow.
    """
    shadow = random_shadow(shade, (pictures.shape[-2], pictures.shape[-1]), generator).to(pictures)
    return expand_bchw(gain) * shadow * pictures.pow(expand_bchw(gamma))


def random_shadow(shade: Tensor, size: tuple[int, int], generator: RandomSource) -> Tensor:
    """A smooth shadow over a face.

    Args:
        shade: (B,) standard deviations of its logarithm; 0: no shadow.
        size: height and width.
        generator: samples it.

    Returns:
        (B, 1, H, W) factors with a maximum of 1.
    """
    coarse = randn((len(shade), 1, *COARSE), generator)
    smooth = F.interpolate(coarse.to(shade.device), size=size, mode="bicubic", align_corners=True)
    return torch.exp(expand_bchw(shade) * (smooth - smooth.amax(dim=(2, 3), keepdim=True)))
