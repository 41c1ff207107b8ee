"""The rows that every table has: what no network gives, and what no network can know."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lumiface.degradations.lowlight import DarkeningBatch, invert_darkening
from lumiface.degradations.resample import resize
from lumiface.imaging.mean_gamma import mean_gamma

Reference = Callable[[Tensor, DarkeningBatch, tuple[int, int]], Tensor]
"""Dark small pictures (B, 3, h, w), how they were darkened, (H, W) -> (B, 3, H, W), not clipped."""


def bicubic(low: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
    """The dark picture, only enlarged."""
    del darkening
    return resize(low, size)


def mean_gamma_bicubic(low: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
    """Each picture raised to the power that makes its mean 0.5, then enlarged."""
    del darkening
    return resize(low ** mean_gamma(low)[:, None, None, None], size)


def oracle(low: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
    """The darkening undone with its true α, β, γ, then enlarged: the light is right, detail is missing."""
    return resize(invert_darkening(low, darkening), size)


REFERENCES: dict[str, Reference] = {
    "bicubic": bicubic,
    "mean-gamma + bicubic": mean_gamma_bicubic,
    "oracle": oracle,
}
