"""Relighting of large faces: the light that a network gave to a small copy, at full resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.measure import WELL_LIT, face_light, inner_face
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT, desaturate_blacks, reduce_noise
from lumiface.imaging.filters import box_mean
from lumiface.imaging.light import brightness, scale_colours, strongest, whiteness
from lumiface.restoration.light.preserve import LEAST_FACE_LIGHT
from lumiface.restoration.light.tone_curve import (
    LARGEST_GAIN,
    saturation_between,
    shadow_end_of,
    shadow_gain,
)

_HEADROOM = (0.6, 0.95)
"""Strongest channel above which the gain is limited more and more: under a coloured lamp, in white light."""


def transfer_light(native: Tensor, small: Tensor, small_lit: Tensor) -> Tensor:
    """Carry the network's relighting of a downscaled face over to the full-resolution face.

    Locally the brightness of the relit copy is a linear function of the copy's, with a slope and an offset.
    Both are smooth, so they are upsampled and applied at full resolution (the idea of the fast guided
    filter). All channels get one gain: the hue is the photograph's, not the network's.

    Args:
        native: (1, 3, H, W).
        small: (1, 3, h, w), the downscaled copy.
        small_lit: the copy after, of any size; it is reduced to the copy's.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    size = native.shape[-2:]
    small_lit = F.interpolate(small_lit, size=small.shape[-2:], mode="area")
    light, lit = brightness(small), brightness(small_lit)
    mean_in, mean_out = box_mean(light, 3), box_mean(lit, 3)
    covariance = box_mean(light * lit, 3) - mean_in * mean_out
    variance = (box_mean(light * light, 3) - mean_in * mean_in).clamp(min=0.0)
    # In flat parts the slope falls back to the plain ratio of the means, which cannot invert a structure.
    ratio = (mean_out / mean_in.clamp(min=LEAST_LIGHT)).clamp(0.0, LARGEST_GAIN)
    trust = 1e-3 * mean_in.clamp(min=LEAST_LIGHT)
    slope = box_mean(((covariance + trust * ratio) / (variance + trust)).clamp(0.0, LARGEST_GAIN), 3)
    offset = box_mean(mean_out - slope * mean_in, 3)
    # A coloured lamp gives little luma; a face under it is not to become as bright as one in white light.
    ratio = box_mean(luma(small), 3) / mean_in.clamp(min=LEAST_LIGHT)
    white = whiteness(ratio)
    # Under such a lamp the network draws a face in white light, flat and pale: there, only its gain counts.
    gain = _plain_gain(light, lit)
    slope, offset = gain + white * (slope - gain), white * offset
    slope, offset, dark, white = (
        F.interpolate(part, size=size, mode="bicubic", align_corners=False)
        for part in (slope, offset, mean_in, white)
    )
    quiet = reduce_noise(native, slope.clamp(min=1.0))
    own = brightness(quiet)
    target = (slope * own + offset).clamp(0.0, 1.0)
    white = white.clamp(0.0, 1.0)
    target = torch.where(target > own, torch.maximum(target * (0.7 + 0.3 * white), own), target)
    gain = (target / own.clamp(min=LEAST_LIGHT)).clamp(max=LARGEST_GAIN)
    gain = shadow_gain(gain, own, shadow_end_of(light[_skin(light) > 0]))
    gain = _unclipped(gain, strongest(quiet), _HEADROOM[0] + (_HEADROOM[1] - _HEADROOM[0]) * white)
    return scale_colours(desaturate_blacks(quiet, dark, gain), gain, _saturation(small, small_lit))


def _plain_gain(light: Tensor, lit: Tensor) -> Tensor:
    """One gain for a whole face, that of the means of its skin, to no more than the least normal light."""
    skin = _skin(light)
    before, after = ((plane * skin).sum() / skin.sum() for plane in (light, lit))
    return (after.clamp(max=LEAST_FACE_LIGHT) / before.clamp(min=LEAST_LIGHT)).clamp(1.0, LARGEST_GAIN)


def give_light(quiet: Tensor) -> Tensor:
    """A face too dark to read, lit by one gain for all of its pixels, as far as the largest gain goes.

    There is no fall of the gain towards black, where all of such a face lies; it has colour only where it is
    not black.

    Args:
        quiet: (1, 3, S, S) in [0, 1], an aligned face without its noise.

    Returns:
        (1, 3, S, S) in [0, 1].
    """
    gain = min(WELL_LIT[1] / max(face_light(quiet), LEAST_LIGHT), LARGEST_GAIN)
    gains = torch.full_like(quiet[:, :1], max(gain, 1.0))
    return desaturate_blacks(scale_colours(quiet, gains), box_mean(luma(quiet), 2), gains)


def _unclipped(gain: Tensor, strong: Tensor, headroom: Tensor) -> Tensor:
    """The gain, limited where it would bring the strongest channel near white: a face under a red lamp cannot
    have the luma of one in white light, and would turn flat and pink."""
    lit = strong * gain
    room = 1.0 - headroom
    soft = headroom + room * (1.0 - (-(lit - headroom) / room).exp())
    limited = torch.where(lit > headroom, soft, lit) / strong.clamp(min=LEAST_LIGHT)
    return torch.where(gain > 1.0, limited.clamp(min=1.0), gain)


def _saturation(small: Tensor, small_lit: Tensor) -> float:
    """The network's change of saturation of the skin, within bounds, as `fit_curve` measures it."""
    gain = luma(small_lit) / luma(small).clamp(min=LEAST_LIGHT)
    plain = scale_colours(small, gain)
    weights = _skin(small).flatten()
    return saturation_between(plain.flatten(2)[0].T, small_lit.flatten(2)[0].T, weights)


def _skin(aligned: Tensor) -> Tensor:
    return inner_face(aligned.shape[-1], aligned.device)
