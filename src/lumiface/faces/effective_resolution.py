"""How much detail a face has: the side, in pixels, at which it would keep all of it.

The spectrum of a sharp face falls with frequency in much the same way for everybody; that of a face that was
blurred, or enlarged from fewer pixels, falls away from it, and where it does says from how many. Measured on
faces of three sources, reduced to 16 to 96 pixels and enlarged again: half are told to within a sixth.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from lumiface.imaging.color import luma

SIDE = 256
"""At which a face is looked at, pixels."""

BANDS = (4.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0, 90.0, 128.0)
"""Edges of rings of frequencies, cycles per side of the aligned face."""

SHARP = (1.0, 0.5017, 0.3859, 0.2673, 0.1377, 0.0772, 0.0468, 0.0252, 0.0145, 0.0068)
"""Root of the mean power in each ring, over the first: medians over 100 sharp faces of 256 pixels."""

FALLEN = 0.5
"""A ring whose share of the sharp face's amplitude is below this holds no detail any more."""


def effective_resolution(crop: Tensor) -> float:
    """Side in pixels that holds all detail of an aligned face; 256 at most.

    Noise is told from detail by the highest ring: what lies there above a sharp face's lies in all others.

    Args:
        crop: (1, 3, 256, 256), aligned, as `crop_face` gives it.

    Raises:
        ValueError: another size.
    """
    if crop.shape != (1, 3, SIDE, SIDE):
        raise ValueError(f"a face must be (1, 3, {SIDE}, {SIDE}), got {tuple(crop.shape)}")
    power = ring_power(crop)
    sharp = torch.tensor(SHARP, dtype=power.dtype).square() * power[0]
    noise = (power[-1] - sharp[-1]).clamp(min=0.0)
    share = ((power - noise).clamp(min=0.0) / sharp).sqrt()
    # The first two rings say how strong the contrasts are; detail is looked for above them.
    for ring in range(2, len(SHARP)):
        if share[ring] < FALLEN:
            before, here = float(share[ring - 1]), float(share[ring])
            within = (before - FALLEN) / max(before - here, 1e-6)
            low, high = (math.sqrt(BANDS[k] * BANDS[k + 1]) for k in (ring - 1, ring))
            return 2.0 * low * (high / low) ** min(max(within, 0.0), 1.0)
    return float(SIDE)


def ring_power(crop: Tensor) -> Tensor:
    """Mean power in each ring of `BANDS` of the face's middle, (10,) float64."""
    top, bottom, left, right = (round(share * SIDE) for share in (0.2, 0.9, 0.15, 0.85))
    middle = luma(crop)[0, 0, top:bottom, left:right].double()
    height, width = middle.shape
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    power = torch.fft.fft2((middle - middle.mean()) * window.to(middle)).abs().square()
    cycles = (
        (torch.fft.fftfreq(height)[:, None] * SIDE).square() + (torch.fft.fftfreq(width) * SIDE).square()
    ).sqrt()
    rings = [(cycles >= low) & (cycles < high) for low, high in itertools.pairwise(BANDS)]
    return torch.stack([power[ring].mean() for ring in rings])
