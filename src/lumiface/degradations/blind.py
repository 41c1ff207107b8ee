"""Degradation of unknown kind and strength, for training and testing blind face restoration.

Paper: blind face restoration by feature fusion and embedding optimisation, section 2, which takes the
degradation of its reference 1, DFDNet (Li et al., ECCV 2020), and prints no ranges. The size is kept, the
result lies on the 8-bit grid:

    I_d = enlarge(JPEG_q((I ⊗ k_σ)↓_r + n_δ))       k Gaussian, isotropic or not; ↓_r with antialiasing

followed by a colour shift of some pictures and the removal of all colour from others.

NOTE(paper): the form is that of both; the ranges, the colour shift and the grey are those of GFPGAN (Wang et
al., CVPR 2021, equation 9 and its published settings), which the paper names as a rival only. GFPGAN's r
begins at 0.8; a picture enlarged by that and reduced again has lost nothing, so r below 1 leaves the size
here.

Two parts are off by default: motion blur instead of the Gaussian (`motion`), which DFDNet has, and a second
change of the colours (`jitter`), which GFPGAN's settings have. `preset: dfdnet` and `preset: gfpgan` are the
settings of either. NOTE(paper): the ranges of `dfdnet` were written down without DFDNet's text at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from lumiface.core.draws import RandomSource, rand, randn
from lumiface.degradations.blind_config import BlindConfig
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.jitter import apply_jitter, sample_jitter
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.lowlight import expand_bchw, sensor_variance
from lumiface.degradations.motion import motion_kernels, motion_radius, sample_motion
from lumiface.degradations.parameters import SampledParameters, scale_to_range, to_int_range
from lumiface.degradations.rescale import enlarge, reduced_sizes, repeat_edges, shrink
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import quantize


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
        motion_...: see `sample_motion`; None: no motion blur.
        jitter, jitter_...: see `sample_jitter`; None: the colours are kept.
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
    motion_length: Tensor | None = field(default=None, kw_only=True)
    motion_angle: Tensor | None = field(default=None, kw_only=True)
    motion_turn: Tensor | None = field(default=None, kw_only=True)
    jitter: Tensor | None = field(default=None, kw_only=True)
    jitter_brightness: Tensor | None = field(default=None, kw_only=True)
    jitter_contrast: Tensor | None = field(default=None, kw_only=True)
    jitter_saturation: Tensor | None = field(default=None, kw_only=True)
    jitter_hue: Tensor | None = field(default=None, kw_only=True)
    jitter_order: Tensor | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.factor)


PARAMETERS = tuple(field.name for field in fields(BlindParameters))[:10]
"""The names of the sampled parameters."""

OPTIONAL = tuple(field.name for field in fields(BlindParameters))[11:]
"""The names of those that are sampled only if their part is on."""

_JITTER = tuple(name for name in OPTIONAL if name.startswith("jitter"))

AnyBlind = TypeVar("AnyBlind", bound=BlindParameters)


def sample_blind(
    count: int,
    side: int,
    config: BlindConfig,
    generator: RandomSource,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> BlindParameters:
    """Sample the parameters of `count` pictures of `side` pixels, on the generator's device, then move them.

    The number of random values does not depend on the ranges, so changing one changes no other value. Those
    of motion blur and jitter are drawn after all others, and only if these are on.
    """
    common = sample_common(count, side, config, generator, dtype)
    return sample_optional(common, side, config, generator, dtype).to(device)


def sample_common(
    count: int, side: int, config: BlindConfig, generator: RandomSource, dtype: torch.dtype
) -> BlindParameters:
    """`sample_blind` without the parts that are off by default, on the generator's device."""
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
    )


def sample_optional(
    common: AnyBlind, side: int, config: BlindConfig, generator: RandomSource, dtype: torch.dtype
) -> AnyBlind:
    """The parameters with those of motion blur and jitter, where they are on."""
    found: dict[str, Any] = {}
    if config.motion is not None:
        found |= sample_motion(len(common), side, config.motion, generator, dtype)
        found["radius"] = max(common.radius, motion_radius(config.motion.length[1] * side / 512.0))
    if config.jitter is not None:
        found |= sample_jitter(len(common), config.jitter, generator, dtype)
    return replace(common, **found)


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
    soft = blur(pictures, blur_kernels(p).to(pictures))
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
    if p.jitter is not None:
        values: list[Any] = [getattr(p, name) for name in _JITTER]
        degraded = apply_jitter(degraded, *(value.to(degraded.device) for value in values))
    return quantize(degraded)


def blur_kernels(parameters: BlindParameters) -> Tensor:
    """(B, k, k): a Gaussian, or for some pictures motion."""
    p = parameters
    gaussian = gaussian_kernels(p.sigma_x, p.sigma_y, p.angle, p.radius)
    if p.motion_length is None or p.motion_angle is None or p.motion_turn is None:
        return gaussian
    motion = motion_kernels(p.motion_length, p.motion_angle, p.motion_turn, p.radius)
    return torch.where(p.motion_length[:, None, None] > 0.0, motion, gaussian)
