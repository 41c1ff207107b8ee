"""The tone curve: how much light a brightness receives, fitted to what the network did to a face.

Three rules keep a brightened photograph from looking brightened: shadows are scaled by one gain, so that they
keep their contrast; black stays black; and what is well lit already hardly changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT
from lumiface.imaging.light import scale_colours, smoothstep, strongest

LARGEST_GAIN = 12.0

SHADOW_END = (8.0 / 255.0, 12.0 / 255.0)
"""Brightness from which the gain is not reduced towards black: the first value where faces are as dark as
that themselves, the second for all others. At a gain of 12 a level of 5 becomes at most 11.5 of 255."""

SATURATION = (0.7, 1.0)
"""Bounds of the factor on colour: light restores the colours that are there, it does not add any."""

_BRIGHT_WEIGHT = 0.5  # of the wish that bright tones stay, against that of meeting the face
_SHADE = 0.25  # quantile of a picture's brightness below which the gain no longer grows
_POWERS = 46  # that are tried
_LEAST_POWER = (
    0.1,
    0.3,
)  # of a picture without bright tones, where skin of 0.21 can become 0.86, and of others
_BRIGHT = (0.35, 0.65)  # brightest tone of a picture that has none, and that has them
_KNEE = 4.0  # sharpness of the transition between the curve's two parts


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """Strongest channel x to `x · min(largest_gain, x^(power − 1))`, with a smooth transition.

    All channels are multiplied alike. The strongest decides, so that none is clipped: what a red lamp lights
    is near white already, though its luma is low.

    In the shadows all is scaled by one gain, above they pass into a power that ends in white: smooth, rising,
    0 to 0 and 1 to 1, so that nothing is clipped. Towards black the gain falls to 1.

    Attributes:
        largest_gain: of the shadows, 1 or more.
        power: of the brighter tones, 0 to 1. Both 1 are the identity.
        saturation: factor on the difference of a colour from grey.
        shadow_end: brightness from which the gain is not reduced towards black; see SHADOW_END.
    """

    largest_gain: float = 1.0
    power: float = 1.0
    saturation: float = 1.0
    shadow_end: float = SHADOW_END[1]

    def __call__(self, light: Tensor) -> Tensor:
        """Strongest channel in [0, 1], any shape, to the strongest channel after, in [0, 1]."""
        return light * self.gain(light)

    def gain(self, light: Tensor) -> Tensor:
        """The factor for all channels of a colour whose strongest is `light`, in [0, 1], any shape."""
        one = light.new_tensor(1.0)
        return shadow_gain(curve_gain(light, one * self.largest_gain, self.power), light, self.shadow_end)


def curve_gain(light: Tensor, largest: Tensor, power: Tensor | float) -> Tensor:
    """The gain of `ToneCurve` without its fall towards black; parameters that broadcast with `light`.

    It is the least of the two parts; an L4 norm of their inverses makes the transition smooth.
    """
    light = light.clamp(LEAST_LIGHT, 1.0)
    # Roots and squares take a tenth of the time of powers.
    floor, rise = largest.square().square().reciprocal(), light ** ((1.0 - power) * _KNEE)
    # At white the norm would be below 1: divided by what it is there.
    return ((floor + 1.0) / (floor + rise)).sqrt().sqrt().clamp(min=1.0)


def shadow_gain(gain: Tensor, light: Tensor, shadow_end: Tensor | float) -> Tensor:
    """The gain, reduced towards black, where noise and rounding are all there is: the full one from
    `shadow_end` on, and 1 at a brightness of 3 to 4 levels of 255."""
    black = 6.4 / 255.0 - 0.275 * shadow_end  # the narrower the rise, the later it must begin
    rise = smoothstep((light - black) / (shadow_end - black))
    return torch.where(gain > 1.0, 1.0 + (gain - 1.0) * rise, gain)


def shadow_end_of(skin: Tensor) -> float:
    """Where the shadows of a face end, from the brightness of its skin, any shape; within SHADOW_END."""
    return min(max(0.6 * float(skin.median()), SHADOW_END[0]), SHADOW_END[1])


def fit_curve(
    before: Tensor, after: Tensor, weights: Tensor | None = None, brightest: float = 1.0
) -> ToneCurve:
    """The curve that maps one set of colours to another with the least mean absolute error of luma.

    Bright tones, which a face in the dark does not have, are wished to stay.

    Args:
        before, after: (N, 3) RGB in [0, 1], the same points before and after restoration.
        weights: (N,), importance of each; by default all count alike.
        brightest: the brightest tone of the picture; there is none above that could wish to stay.
    """
    weights = torch.ones(len(before)) if weights is None else weights
    row = _as_row(before)
    source, grey, target = strongest(row).flatten(), luma(row).flatten(), luma(_as_row(after)).flatten()
    if float(((grey - target).abs() * weights).sum() / weights.sum()) < 1.0 / 255.0:
        return ToneCurve()
    end = shadow_end_of(source[weights >= 0.5 * weights.max()])
    # A grid search over the two parameters: robust, without start values, and fast.
    gains = torch.logspace(0.0, math.log10(LARGEST_GAIN), 49)[:, None, None]
    share = min(max((brightest - _BRIGHT[0]) / (_BRIGHT[1] - _BRIGHT[0]), 0.0), 1.0)
    least = _LEAST_POWER[0] + share * (_LEAST_POWER[1] - _LEAST_POWER[0])
    powers = torch.arange(10, 101, 2)[None, :, None] / 100.0
    powers = powers[:, powers[0, :, 0] > least - 1e-6]
    pick = source.argsort()[torch.linspace(0, len(source) - 1, min(len(source), 256)).long()]
    bright = torch.linspace(0.35, 0.95, 10)
    bright = bright[bright <= brightest]
    points, luma_before = torch.cat([source[pick], bright]), torch.cat([grey[pick], bright])
    wanted = torch.cat([target[pick], bright])
    counts = torch.cat([weights[pick] / weights[pick].sum(), torch.full_like(bright, _BRIGHT_WEIGHT / 10)])
    met = luma_before * shadow_gain(curve_gain(points, gains, powers), points, end)
    best = int(((met - wanted).abs() * counts).sum(dim=-1).argmin())
    count = powers.shape[1]
    gain, power = float(gains.flatten()[best // count]), float(powers.flatten()[best % count])
    lit = scale_colours(row, ToneCurve(gain, power, 1.0, end).gain(strongest(row)))
    return ToneCurve(gain, power, saturation_between(lit[0, :, 0].T, after, weights), end)


def fallback_curve(rgb: Tensor, target: float = 0.42) -> ToneCurve:
    """The curve for a picture without a restored face: the power that raises its mean luma to `target`.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
    """
    small = F.interpolate(rgb, size=(64, 64), mode="area").cpu()
    light, grey = strongest(small).flatten(), luma(small).flatten()
    if float(grey.mean()) >= target:
        return ToneCurve()
    powers = torch.linspace(1.0, 0.2, 81)[:, None]
    shade = float(light.quantile(_SHADE).clamp(min=SHADOW_END[0]))
    gains = (shade ** (powers - 1.0)).clamp(max=LARGEST_GAIN)
    means = (grey * shadow_gain(curve_gain(light, gains, powers), light, SHADOW_END[1])).mean(dim=1)
    best = int((means - target).abs().argmin())
    return ToneCurve(float(gains[best]), float(powers[best]))


def saturation_between(before: Tensor, after: Tensor, weights: Tensor) -> float:
    """The factor on colour, within SATURATION, that brings `before` nearest to `after`.

    Args:
        before, after: (N, 3) RGB of the same luma, in [0, 1]. weights: (N,).
    """
    one, other = (points - luma(_as_row(points))[0, 0, 0, :, None] for points in (before, after))
    power = (one * one).sum(dim=1) * weights
    if float(power.sum()) < 1e-6:
        return 1.0
    factor = float(((one * other).sum(dim=1) * weights).sum() / power.sum())
    return min(max(factor, SATURATION[0]), SATURATION[1])


def _as_row(colours: Tensor) -> Tensor:
    """(N, 3) -> a picture (1, 3, 1, N)."""
    return colours.T[None, :, None, :]
