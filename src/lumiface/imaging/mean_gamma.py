"""The simplest brightening there is: the power that brings a picture's mean to where it is wanted."""

from __future__ import annotations

import torch
from torch import Tensor

_GAMMAS = (2.0**-10, 2.0**10)
_HALVINGS = 60


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
