"""The reference rows of every table: simple methods without a network, and the oracle."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lumiface.degradations.lowlight import DarkeningBatch, invert_darkening
from lumiface.degradations.resample import resize
from lumiface.imaging.mean_gamma import mean_gamma

Reference = Callable[[Tensor, DarkeningBatch, tuple[int, int]], Tensor]
"""Dark small images (B, 3, h, w), their darkening, (H, W) -> (B, 3, H, W), not clipped."""


def bicubic(inputs: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
    """The dark image, only enlarged."""
    del darkening
    return resize(inputs, size)


def mean_gamma_bicubic(inputs: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
    """Each image raised to the power that makes its mean 0.5, then enlarged."""
    del darkening
    return resize(inputs ** mean_gamma(inputs)[:, None, None, None], size)


def oracle(inputs: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
    """The darkening inverted with its true α, β, γ, then enlarged: right brightness, missing detail."""
    return resize(invert_darkening(inputs, darkening), size)


REFERENCES: dict[str, Reference] = {
    "bicubic": bicubic,
    "mean-gamma + bicubic": mean_gamma_bicubic,
    "oracle": oracle,
}
