"""Gamma correction to a given mean: the simplest brightening, and the search behind it."""

from __future__ import annotations

import torch
from torch import Tensor

_GAMMAS = (2.0**-10, 2.0**10)
_STEPS = 60


def mean_gamma(pictures: Tensor, target: float | Tensor = 0.5) -> Tensor:
    """The power γ for which the mean over all three channels of x^γ is `target`, by bisection of log γ.

    Args:
        pictures: (B, 3, H, W) in [0, 1].
        target: the mean, a number or (1,).

    Returns:
        (B,), within 2^-10 to 2^10; an end of that range if no power reaches the mean (a picture half of
        which is pure black).
    """
    low, high = bisect_gamma(pictures.double().flatten(1), target, _GAMMAS, _STEPS, geometric=True)
    return (low * high).sqrt()[:, 0].to(pictures.dtype)


def bisect_gamma(
    values: Tensor,
    target: float | Tensor,
    bounds: tuple[float, float],
    steps: int,
    *,
    geometric: bool = False,
) -> tuple[Tensor, Tensor]:
    """Enclose the power that brings the mean of each row to `target`.

    Args:
        values: (B, N) in [0, 1]; a larger power makes their mean smaller.
        target: the mean.
        bounds: the interval searched.
        steps: number of halvings.
        geometric: halve at the geometric mean of the interval instead of the arithmetic one.

    Returns:
        Lower and upper bound of the power, (B, 1) each.
    """
    low, high = (values.new_full((len(values), 1), bound) for bound in bounds)
    for _ in range(steps):
        middle = (low * high).sqrt() if geometric else (low + high) / 2
        too_bright = (values**middle).mean(dim=1, keepdim=True) > target
        low, high = torch.where(too_bright, middle, low), torch.where(too_bright, high, middle)
    return low, high
