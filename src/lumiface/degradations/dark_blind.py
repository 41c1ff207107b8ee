"""Degradation of faces that are dark and damaged: the darkening of `camera_pipeline`, the damage of `blind`.

    dark = gain · shadow · I^gamma                   some pictures keep their light: gain = gamma = 1
    bad  = enlarge(JPEG_q((dark ⊗ k_σ)↓_r + n))      variance of n: shot · light + read² + (δ · level)²

followed by the colour shift of some pictures and the removal of all colour from others, as in `blind`. δ and
the colour shift are relative to the picture's light: `level` is the mean luma after darkening over that
before, since a camera amplifies noise and picture alike. The size is kept, the result lies on the 8-bit grid.

A restorer is trained on such pictures after they got their light (`relight_to`), because that is how faces
reach it: first light, then detail.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.draws import RandomSource, randn
from lumiface.core.settings import Settings
from lumiface.degradations.blind import (
    OPTIONAL,
    BlindConfig,
    BlindParameters,
    damage,
    sample_common,
    sample_optional,
)
from lumiface.degradations.blind import PARAMETERS as BLIND_PARAMETERS
from lumiface.degradations.camera_pipeline import CameraConfig, expose, sample_camera
from lumiface.degradations.lowlight import expand_bchw
from lumiface.degradations.resample import resize
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import quantize

LEVEL = 1.0 / 255.0
"""Added before a logarithm: one level of an 8-bit file, below which there is no information."""


class DarkBlindConfig(Settings):
    """The ranges of darkness and damage.

    The key `preset` is that of the damage; `damage.preset` gives way to it.
    """

    dark: CameraConfig = Field(
        default=CameraConfig(),
        description="lit, gain, gamma, shade, shot and read of the darkening; blur and JPEG are `damage`'s",
    )
    damage: BlindConfig = Field(default=BlindConfig(), description="blur, size, noise, JPEG, colour")

    @model_validator(mode="before")
    @classmethod
    def _move_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "preset" not in given:
            return given
        rest = {name: value for name, value in given.items() if name != "preset"}
        damage = rest.get("damage", {})
        if isinstance(damage, BlindConfig):
            damage = damage.model_dump(exclude_unset=True)
        if not isinstance(damage, dict):
            return rest  # validated, and refused, by the field
        return rest | {"damage": damage | {"preset": given["preset"]}}


class RelightError(Settings):
    """Bias and standard deviation of a predicted illumination's errors.

    Defaults: what the head of `lumiface-x4-real` gives on 60 validation faces of 128 pixels, reduced to 64.
    Its prediction has less contrast than the target, since blur has taken some of it.
    """

    mean: tuple[float, float] = Field(
        default=(-0.16, 0.24), description="of the mean of the logarithm, per channel"
    )
    log_std: tuple[float, float] = Field(
        default=(-0.3, 0.33), description="of the logarithm of the logarithm's standard deviation"
    )


@dataclass(frozen=True, slots=True)
class DarkBlindParameters(BlindParameters):
    """The parameters of a batch, (B,) each; with shadow and noise they determine the result.

    Attributes:
        gain, gamma, shade: of the darkening; `shade` is the standard deviation of the shadow's logarithm.
        shot, read: of the sensor's noise.
    """

    gain: Tensor
    gamma: Tensor
    shade: Tensor
    shot: Tensor
    read: Tensor


PARAMETERS = tuple(
    field.name for field in fields(DarkBlindParameters) if field.name not in ("radius", *OPTIONAL)
)
"""The names of the sampled parameters."""


def sample_dark_blind(
    count: int,
    side: int,
    config: DarkBlindConfig,
    generator: RandomSource,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> DarkBlindParameters:
    """Sample the parameters of `count` pictures of `side` pixels, on the generator's device, then move them.

    The number of random values does not depend on the ranges, so changing one changes no other value. Those
    of motion blur and jitter are drawn after all others, and only if these are on.
    """
    blind = sample_common(count, side, config.damage, generator, dtype)
    dark = sample_camera(count, config.dark, generator, generator.device)
    common = DarkBlindParameters(
        **{name: getattr(blind, name) for name in (*BLIND_PARAMETERS, "radius")},
        **{name: getattr(dark, name).to(dtype) for name in ("gain", "gamma", "shade", "shot", "read")},
    )
    return sample_optional(common, side, config.damage, generator, dtype).to(device)


def apply_dark_blind(pictures: Tensor, parameters: DarkBlindParameters, generator: RandomSource) -> Tensor:
    """Degrade (B, 3, H, W) pictures in [0, 1], each by its own parameters, on the pictures' device.

    Args:
        generator: samples the shadow and the noise; required, so that no run is random by accident.

    Returns:
        The same shape and type, on the 8-bit grid in [0, 1].
    """
    p = parameters
    dark = expose(pictures, p.gain, p.gamma, p.shade, generator)
    level = _mean_luma(dark) / _mean_luma(pictures).clamp(min=1e-3)
    return damage(dark, p, generator, level=level, shot=p.shot, read=p.read)


def simulate_damaged(
    pictures: Tensor, config: DarkBlindConfig, size: tuple[int, int], generator: RandomSource
) -> Tensor:
    """Degrade square pictures (B, 3, S, S) with sampled parameters, then reduce them to (B, 3, *size).

    Reduced to the size of what detail it has left, a damaged face loses noise and compression.
    """
    count, side = len(pictures), pictures.shape[-1]
    parameters = sample_dark_blind(count, side, config, generator, pictures.device, pictures.dtype)
    return quantize(resize(apply_dark_blind(pictures, parameters, generator), size))


def relight_to(pictures: Tensor, target: Tensor, error: RelightError, generator: RandomSource) -> Tensor:
    """Give degraded pictures the light of their targets, up to a random error.

    A power and a factor per channel, which take mean and standard deviation of the logarithm to those of the
    target: what the illumination head of `lumiface_x4` applies, whose prediction is wrong by such an error.

    Args:
        pictures, target: (B, 3, H, W) in [0, 1].
        error: of the two predicted statistics, common to the channels of a picture.
        generator: samples the errors.

    Returns:
        (B, 3, H, W), on the 8-bit grid in [0, 1].
    """
    logarithm = (pictures + LEVEL).log()
    own_mean, own_std = _statistics(logarithm)
    mean, std = _statistics((target + LEVEL).log())
    normal = randn((2, len(pictures)), generator).to(pictures)
    (mean_bias, mean_deviation), (std_bias, std_deviation) = error.mean, error.log_std
    mean = mean + expand_bchw(mean_bias + mean_deviation * normal[0])
    std = std * expand_bchw(std_bias + std_deviation * normal[1]).exp()
    return quantize(((logarithm - own_mean) / own_std * std + mean).exp())


def is_darkened(parameters: DarkBlindParameters) -> Tensor:
    """(B,) bool: which pictures did not keep their light."""
    return (parameters.gain != 1.0) | (parameters.gamma != 1.0)


def _statistics(logarithm: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel, (B, 3, 1, 1) each."""
    mean = logarithm.mean(dim=(2, 3), keepdim=True)
    variance = (logarithm - mean).square().mean(dim=(2, 3), keepdim=True)
    return mean, (variance + 1e-4).sqrt()


def _mean_luma(pictures: Tensor) -> Tensor:
    return luma(pictures).mean(dim=(1, 2, 3))
