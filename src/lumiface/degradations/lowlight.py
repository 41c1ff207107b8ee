"""The low-light darkening of the LLF benchmark (LFSRNet, data section).

`Dark(I) = β·(α·I)^γ + 0.002·N(0, 1)`, α ~ U(0.9, 1), β ~ U(0.5, 1), γ ~ U(1, 5), the result clipped
to [0, 1]. The picture is darkened before it is downscaled, so the noise is added at the full size and
averages out in the small picture.

Two forms of one formula: `sample_darkening` and `darken` in torch, for training on the device;
`sample_darkening_exact` and `darken_exact` in fixed point, for test sets that are reproducible byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.draws import RandomSource, rand, randn
from lumiface.core.errors import SettingError
from lumiface.degradations.resample import ONE

PAPER_NOISE = 0.002
"""Standard deviation of the added noise, on the [0, 1] scale."""


@dataclass(frozen=True, slots=True)
class DarkeningRanges:
    """The ranges (low, high) that α, β, γ are sampled from, uniformly. The defaults are the paper's."""

    alpha: tuple[float, float] = (0.9, 1.0)
    beta: tuple[float, float] = (0.5, 1.0)
    gamma: tuple[float, float] = (1.0, 5.0)
    noise: float = PAPER_NOISE

    def __post_init__(self) -> None:
        for field in fields(self)[:3]:
            low, high = getattr(self, field.name)
            if not 0.0 < low <= high:
                raise SettingError(f"darkening {field.name}: need 0 < low <= high, got ({low}, {high})")
        if self.noise < 0.0:
            raise SettingError(f"darkening noise: need a standard deviation of 0 or more, got {self.noise}")


@dataclass(frozen=True, slots=True)
class Darkening:
    """The parameters of one picture's darkening."""

    alpha: float
    beta: float
    gamma: float
    noise: float = PAPER_NOISE


@dataclass(frozen=True, slots=True, eq=False)
class DarkeningBatch:
    """The parameters of a batch's darkening: α, β, γ of shape (B,), and one noise level."""

    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    noise: float = PAPER_NOISE


PAPER_RANGES = DarkeningRanges()


def sample_darkening(
    count: int, ranges: DarkeningRanges, generator: RandomSource, device: torch.device | str
) -> DarkeningBatch:
    """Sample the parameters of `count` pictures, (count,) float32 each.

    The values are sampled on the generator's device and then moved, so a CPU generator gives the same
    training run on every device.
    """
    unit = rand((3, count), generator).to(device)
    alpha, beta, gamma = (
        low + (high - low) * u
        for (low, high), u in zip((ranges.alpha, ranges.beta, ranges.gamma), unit, strict=True)
    )
    return DarkeningBatch(alpha, beta, gamma, ranges.noise)


def darken(
    pictures: Tensor, alpha: Tensor, beta: Tensor, gamma: Tensor, noise: float, generator: RandomSource
) -> Tensor:
    """Darken (B, 3, H, W) pictures in [0, 1], each by its own α, β, γ of shape (B,).

    Args:
        noise: standard deviation of the added Gaussian noise, on the [0, 1] scale.
        generator: samples the noise; required, so that no run is random by accident.
    """
    normal = randn(pictures.shape, generator, pictures.dtype)
    return darken_with(pictures, alpha, beta, gamma, noise * normal.to(pictures.device))


def darken_with(pictures: Tensor, alpha: Tensor, beta: Tensor, gamma: Tensor, noise: Tensor) -> Tensor:
    """The deterministic part, given the noise; `torch.compile` fuses it into one kernel.

    Shapes: pictures and noise (B, 3, H, W); α, β, γ (B,).
    """
    light = (expand_bchw(alpha) * pictures).pow(expand_bchw(gamma))
    return (expand_bchw(beta) * light + noise).clamp(0.0, 1.0)


def invert_darkening(pictures: Tensor, darkening: Darkening | DarkeningBatch) -> Tensor:
    """Invert the darkening as far as rounding and noise allow: `(x / β)^(1/γ) / α`, clipped to [0, 1].

    The oracle of the benchmark: methods do not know the true α, β, γ.

    Args:
        pictures: (B, 3, H, W), dark, in [0, 1].
        darkening: of one picture (applied to all), or of a batch, (B,) each.
    """
    if isinstance(darkening, DarkeningBatch):
        alpha, beta, gamma = (expand_bchw(p) for p in (darkening.alpha, darkening.beta, darkening.gamma))
    else:
        alpha, beta, gamma = darkening.alpha, darkening.beta, darkening.gamma
    return ((pictures / beta).pow(1.0 / gamma) / alpha).clamp(0.0, 1.0)


def expand_bchw(parameter: Tensor) -> Tensor:
    """(B,) → (B, 1, 1, 1)."""
    return parameter[:, None, None, None]


def sensor_noise(light: Tensor, shot: Tensor, read: Tensor, normal: Tensor) -> Tensor:
    """Add sensor noise of variance shot · light + read².

    Args:
        light: (B, 3, H, W) in [0, 1].
        shot, read: (B,), variance per unit of light, and standard deviation in black, on the [0, 1] scale.
        normal: (B, 3, H, W), standard normal noise.
    """
    return (light + sensor_variance(light, shot, read).sqrt() * normal).clamp(0.0, 1.0)


def sensor_variance(light: Tensor, shot: Tensor, read: Tensor) -> Tensor:
    """The variance of a sensor's noise, shot · light + read²; arguments as of `sensor_noise`."""
    return expand_bchw(shot) * light + expand_bchw(read).square()


# --- The exact form -----------------------------------------------------------------------------------------
#
# NumPy guarantees the raw 64-bit stream of PCG64, but not how its Generator turns that stream into uniform
# and normal values; both are computed here. power, log and cos may differ in their last bit between maths
# libraries, so each is rounded to the 2**-20 grid at once; the rest is plain IEEE arithmetic.


def sample_darkening_exact(rng: np.random.Generator, ranges: DarkeningRanges = PAPER_RANGES) -> Darkening:
    """Sample α, β, γ (in this order, from three raw 64-bit values) for one picture of a test set."""
    unit = _unit(rng, 3)
    alpha, beta, gamma = (
        low + (high - low) * float(u)
        for (low, high), u in zip((ranges.alpha, ranges.beta, ranges.gamma), unit, strict=True)
    )
    return Darkening(alpha, beta, gamma, ranges.noise)


def darken_exact(
    picture: npt.NDArray[np.uint8], darkening: Darkening, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Darken one 8-bit picture, with equal bits on every machine.

    Args:
        picture: (H, W, 3) uint8, sRGB.
        rng: `np.random.Generator(np.random.PCG64(seed))`, usually just after `sample_darkening_exact`.

    Returns:
        (H, W, 3) int64 on the fixed-point grid, where 2**20 represents 1.0 (see `resample.ONE`).
    """
    levels = np.arange(256, dtype=np.float64) / 255.0
    curve = _snap(np.power(darkening.alpha * levels, darkening.gamma))
    table = np.floor(darkening.beta * curve + 0.5)
    noise = np.floor(darkening.noise * _normal(rng, picture.size).reshape(picture.shape) + 0.5)
    return (table[picture] + noise).clip(0, ONE).astype(np.int64)


def _unit(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Uniform values in [0, 1), 53 bits, from the raw stream."""
    raw = np.asarray(rng.bit_generator.random_raw(count), dtype=np.uint64)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _normal(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Standard normal values in units of 2**-20 (integers, in float64), by Box and Muller (1958)."""
    pairs = (count + 1) // 2
    unit = _unit(rng, 2 * pairs)
    radius = np.sqrt(-2.0 * np.log(1.0 - unit[:pairs]))  # 1 − u is in (0, 1]: the logarithm is finite
    angle = 2.0 * np.pi * unit[pairs:]
    return _snap(np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))[:count])


def _snap(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """To the nearest point of the 2**-20 grid, in units of that grid."""
    return np.floor(values * ONE + 0.5)
