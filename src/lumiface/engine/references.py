"""The rows that every table has: what no network gives, and what no network can know."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lumiface.degradations.lowlight import DarkeningBatch, invert_darkening
from lumiface.degradations.resample import resize

Reference = Callable[[Tensor, DarkeningBatch, tuple[int, int]], Tensor]
"""Dark small pictures (B, 3, h, w), how they were darkened, (H, W) -> (B, 3, H, W), not clipped."""

_GAMMAS = (2.0**-10, 2.0**10)
_HALVINGS = 60


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


def mean_gamma(pictures: Tensor, wanted: float = 0.5) -> Tensor:
    """The power γ, by bisection, for which the mean over all three channels of x^γ is `wanted`.

    Args:
        pictures: (B, 3, H, W) in [0, 1].

    Returns:
        (B,), within 2^-10 to 2^10; the end of that range where no power reaches the mean (a picture half of
        which is pure black).
    """
    exact = pictures.double().flatten(1)
    low = exact.new_full((len(exact), 1), _GAMMAS[0])
    high = exact.new_full((len(exact), 1), _GAMMAS[1])
    for _ in range(_HALVINGS):
        middle = (low * high).sqrt()
        too_bright = (exact**middle).mean(dim=1, keepdim=True) > wanted  # a larger power is darker
        low, high = torch.where(too_bright, middle, low), torch.where(too_bright, high, middle)
    return (low * high).sqrt()[:, 0].to(pictures.dtype)


REFERENCES: dict[str, Reference] = {
    "bicubic": bicubic,
    "mean-gamma + bicubic": mean_gamma_bicubic,
    "oracle": oracle,
}
