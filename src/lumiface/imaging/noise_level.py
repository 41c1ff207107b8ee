"""The noise of a photograph, estimated from its second differences."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.filters import box_mean
from lumiface.imaging.light import smoothstep
from lumiface.imaging.strips import strips

ROUNDING_NOISE = 1.0 / 255.0 / 12.0**0.5
"""Standard deviation of the error of rounding to 8 bits."""

LIGHT_RADIUS = 4
"""Radius of the windows whose mean luma counts as the light of a pixel."""

_MASK, _MASK_NORM = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0)), 6.0  # Immerkaer's, and its norm
_BINS = 10
_LARGEST = 0.06
_FEWEST = 100  # responses from which noise is estimated
_SAMPLES = 300_000  # pixels of a large picture that are looked at
_STRUCTURE = 0.6 / 255.0  # what half size shows of a dark picture without noise
_WINDOW, _WINDOWS = 256, 4  # sides of the windows of a large picture, and how many in a row and column
_LONGEST = 4096  # of a long and narrow picture


def local_light(rgb: Tensor) -> Tensor:
    """(1, 3, H, W) -> (1, 1, H, W): the mean luma around each pixel, which decides its noise."""
    return box_mean(luma(rgb), LIGHT_RADIUS)


class NoiseByLight:
    """The noise level as a function of brightness: the sRGB curve amplifies it in dark parts.

    Of a picture of more than a megapixel, every second, third … pixel of every such row is looked at.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        brightest: light up to which the noise is measured; above, it counts as that of the brightest bin.

    Attributes:
        levels: (bins,), the standard deviation by light, at least the rounding noise.
    """

    def __init__(self, rgb: Tensor, brightest: float) -> None:
        edges = torch.linspace(0.0, brightest, _BINS + 1, device=rgb.device).square() / brightest
        self._edges = edges[1:-1].contiguous()  # finer where darker
        step = _step(rgb)
        response, light = _responses(rgb, step), _light_on_grid(rgb, step)
        fine = self._levels(response, light, edges)
        half = _halved(_samples(rgb))
        coarse = [
            self._levels(_responses(part, 1), _inner_light(part), edges) for part in (half, _halved(half))
        ]
        self.levels = torch.maximum(fine, _compressed(*coarse)).clamp(ROUNDING_NOISE, _LARGEST)

    @staticmethod
    def _levels(response: Tensor, light: Tensor, edges: Tensor) -> Tensor:
        """The standard deviation by light, 0 where there are too few pixels."""
        if response.numel() == 0:  # of less than three rows or columns
            return response.new_zeros(len(edges) - 1)
        light = light.expand_as(response)
        found: list[Tensor] = []
        for low, high in pairwise(edges.tolist()):
            members = response[(light >= low) & (light < high)]
            found.append(_deviation(members) if len(members) >= _FEWEST else response.new_tensor(0.0))
        return torch.stack(found)

    def __call__(self, light: Tensor) -> Tensor:
        """The standard deviation of pixels of this light, of any shape."""
        return self.levels[torch.bucketize(light, self._edges)]


def noise_level(light: Tensor) -> float:
    """Standard deviation of a picture's noise, estimated from its second difference along both axes.

    Immerkaer's mask (1996) with the median instead of the mean, which is robust to edges; at least the
    rounding noise of 8 bits. A large picture is judged by its first 2048 rows and columns.

    Args:
        light: (1, 1, H, W) in [0, 1].
    """
    corner = light[..., :LEVEL_SIDE, :LEVEL_SIDE]
    response = _responses(corner, _step(corner))
    return max(float(_deviation(response)), ROUNDING_NOISE) if response.numel() else ROUNDING_NOISE


LEVEL_SIDE = 2048
"""Rows and columns that `noise_level` looks at."""


def _compressed(half: Tensor, quarter: Tensor) -> Tensor:
    """Noise whose finest part JPEG has taken, from what is left of it at half and quarter size.

    White noise falls by half with each size, so twice what half size shows is what there was. Texture does
    not fall, or grows. Measured on 16 dark faces with white noise of 2.4, 4.4 and 8.3 levels, which quality
    88 leaves as 1.9, 2.9 and 5.9: full size shows 0.5, 0.7 and 3.2, half size 0.9, 1.5 and 2.9, quarter size
    0.9, 1.2 and 1.8. Of dark pictures without noise half size shows up to 0.65, of dark grass and gravel 3.2
    and 2.2, and quarter size 3.8 and 3.4.
    """
    falls = smoothstep((half / quarter.clamp(min=1e-6) - 1.0) / 0.25)
    return falls * 2.0 * (half.square() - _STRUCTURE**2).clamp(min=0.0).sqrt()


def _samples(rgb: Tensor) -> Tensor:
    """(B, 3, h, w): the picture, or windows of a large one, evenly spread."""
    height, width = rgb.shape[-2:]
    if height * width <= _WINDOWS**2 * _WINDOW**2 or min(height, width) < _WINDOW:
        return rgb[..., :_LONGEST, :_LONGEST]
    tops, lefts = (torch.linspace(0, side - _WINDOW, _WINDOWS).int().tolist() for side in (height, width))
    return torch.cat([rgb[..., y : y + _WINDOW, x : x + _WINDOW] for y in tops for x in lefts])


def _halved(rgb: Tensor) -> Tensor:
    """At half size; a picture of one row or column has none, and no noise is seen in it anyway."""
    return F.avg_pool2d(rgb, 2) if min(rgb.shape[-2:]) > 1 else rgb


def _inner_light(rgb: Tensor) -> Tensor:
    """`local_light` of the inner pixels, where all of `_responses` are."""
    return local_light(rgb)[..., 1:-1, 1:-1]


def _step(planes: Tensor) -> int:
    return max(1, math.isqrt(planes.shape[-2] * planes.shape[-1] // _SAMPLES))


def _deviation(response: Tensor) -> Tensor:
    """The standard deviation of noise with these responses (any shape), from about 100,000 of them.

    0.6745 is the median of |N(0, 1)|.
    """
    flat = response.flatten()
    return flat[:: max(1, len(flat) // 100_000)].median() / 0.6745 / _MASK_NORM


def _responses(planes: Tensor, step: int) -> Tensor:
    """Absolute response to the mask at every `step`-th inner pixel; (1, C, h, w), empty under 3 pixels."""
    if min(planes.shape[-2:]) < 3:
        return planes[..., :0, :0]
    height, width = planes.shape[-2:]
    total = torch.zeros_like(planes[..., 1 : height - 1 : step, 1 : width - 1 : step])
    for y, row in enumerate(_MASK):
        for x, weight in enumerate(row):
            total.add_(planes[..., y : height - 2 + y : step, x : width - 2 + x : step], alpha=weight)
    return total.abs_()


def _light_on_grid(rgb: Tensor, step: int) -> Tensor:
    """`local_light` where `_responses` looks, (1, 1, h, w)."""
    height, width = rgb.shape[-2:]
    rows: list[Tensor] = [rgb[:, :1, :0, 1 : max(1, width - 1) : step]]
    for strip in strips(height, width, LIGHT_RADIUS):
        light = strip.inner(local_light(strip.read(rgb)))
        first = max(1, strip.top)
        first += (1 - first) % step
        on_grid = light[..., first - strip.top : height - 1 - strip.top : step, 1 : width - 1 : step]
        rows.append(on_grid.clone())  # not a view, which would hold the strip
    return torch.cat(rows, -2)
