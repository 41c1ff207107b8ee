"""The light of a whole photograph: one smooth tone curve, applied along edges, with the noise held down.

A network restores the faces; the rest of the picture must come out of the dark in the same way, or the faces
look pasted. What happened to the faces' light is fitted by one curve, and the curve is applied to the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT, desaturate_blacks, raised, reduce_noise
from lumiface.imaging.filters import box_mean

LARGEST_GAIN = 12.0


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """`y = 1 − (1 − x^a)^b` on each channel: smooth, rising, 0 to 0 and 1 to 1, so that nothing is clipped.

    a = b = 1 is the identity; near black y ≈ b·x^a, the form that a darkened exposure needs undone.

    Attributes:
        a, b: the curve's two shape parameters, both positive.
        saturation: factor on the chroma that the curve leaves.
    """

    a: float = 1.0
    b: float = 1.0
    saturation: float = 1.0

    def __call__(self, light: Tensor) -> Tensor:
        """Values in [0, 1], any shape, to values in [0, 1]."""
        return 1.0 - (1.0 - light.clamp(0.0, 1.0) ** self.a) ** self.b

    def applied(self, colours: Tensor) -> Tensor:
        """The curve on every channel, its gain bounded near black, where the curve can be endlessly steep."""
        return torch.minimum(self(colours), LARGEST_GAIN * colours.clamp(0.0, 1.0))


def fit_curve(before: Tensor, after: Tensor) -> ToneCurve:
    """The curve that takes one set of colours to another, in the least absolute sense.

    Args:
        before, after: (N, 3) RGB in [0, 1], the same points before and after restoration.
    """
    known, wanted = _light(before), _light(after)
    a = torch.logspace(-0.9, 0.3, 49)[:, None, None]
    b = torch.logspace(-0.5, 1.5, 81)[None, :, None]
    # A search over the two parameters on quantiles: robust, without start values, and quick.
    order = known.argsort()
    pick = order[torch.linspace(0, len(order) - 1, min(len(order), 256)).long()]
    curves = 1.0 - (1.0 - known[pick].clamp(0.0, 1.0) ** a) ** b  # (49, 81, points)
    misfit = (curves - wanted[pick]).abs().mean(dim=-1)
    best = int(misfit.argmin())
    curve = ToneCurve(float(a.flatten()[best // b.shape[1]]), float(b.flatten()[best % b.shape[1]]))
    chroma, target = _chroma(curve.applied(before)), _chroma(after)
    saturation = float((chroma * target).sum() / (chroma * chroma).sum().clamp(min=1e-6))
    return ToneCurve(curve.a, curve.b, min(max(saturation, 0.3), 1.3))


def _light(colours: Tensor) -> Tensor:
    """(N, 3) RGB -> (N,) luma."""
    return luma(colours.T[None, :, :, None]).flatten()


def _chroma(colours: Tensor) -> Tensor:
    """(N, 3) RGB -> what is left of it without its luma."""
    return colours - _light(colours)[:, None]


def fallback_curve(rgb: Tensor, wanted: float = 0.42) -> ToneCurve:
    """The curve for a picture without a restored face: its mean luma raised to `wanted`.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
    """
    light = luma(F.interpolate(rgb, size=(64, 64), mode="area")).flatten()
    if float(light.mean()) >= wanted:
        return ToneCurve()
    powers = torch.linspace(1.0, 0.3, 71)
    means = (light[None, :].clamp(min=LEAST_LIGHT) ** powers[:, None]).mean(dim=1)
    return ToneCurve(a=float(powers[int((means - wanted).abs().argmin())]))


def relight(rgb: Tensor, curve: ToneCurve, quiet: Tensor | None = None) -> Tensor:
    """Apply a tone curve to a whole picture: colours kept, noise not raised with the light.

    The curve works on each pixel after the picture was smoothed along its edges, as much as the gain makes
    necessary; so light needs no blur of its own, and there is no halo.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        quiet: the same without its noise, taken where the curve brightens; elsewhere the picture stays sharp.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    light = luma(rgb if quiet is None else quiet).clamp(min=LEAST_LIGHT)
    gain = curve.applied(light) / light
    if quiet is not None:
        rgb = rgb.lerp(quiet, raised(gain))
    smooth = reduce_noise(rgb, gain)
    # Near an edge the mean around a black pixel is not black, so its own light counts as well.
    known = torch.minimum(box_mean(light, 2), luma(smooth))
    bright = desaturate_blacks(curve.applied(smooth), known, gain)
    brightness = luma(bright)
    # Where the gain changes nothing, colour is left alone too.
    saturation = 1.0 + (curve.saturation - 1.0) * ((gain - 1.0).abs() * 2.0).clamp(max=1.0)
    coloured = brightness + (bright - brightness) * saturation
    # A colour that would leave [0, 1] moves towards grey instead of being cut off channel by channel.
    brightness = brightness.clamp(0.0, 1.0)
    span = (coloured - brightness).abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
    room = torch.minimum(brightness, 1.0 - brightness)
    over = ((coloured - brightness).amax(dim=1, keepdim=True) > 1.0 - brightness) & (span > room)
    factor = torch.where(over, (1.0 - brightness) / span, torch.ones_like(span))
    return (brightness + (coloured - brightness) * factor).clamp(0.0, 1.0)


def transfer_light(native: Tensor, small: Tensor, small_lit: Tensor) -> Tensor:
    """Give a large face the light that the network gave its reduced copy, and keep all its own detail.

    Locally the lit copy is a linear function of the copy, slope and offset; both are smooth, so they can be
    enlarged and applied to the large picture (the fast guided filter's idea).

    Args:
        native: (1, 3, H, W). small, small_lit: (1, 3, h, w), the reduced copy before and after.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    size = native.shape[-2:]
    mean_in, mean_out = box_mean(small, 3), box_mean(small_lit, 3)
    covariance = box_mean(small * small_lit, 3) - mean_in * mean_out
    variance = (box_mean(small * small, 3) - mean_in * mean_in).clamp(min=0.0)
    # In flat parts the slope falls back to the plain ratio of light, which cannot invert a structure.
    ratio = (mean_out / mean_in.clamp(min=LEAST_LIGHT)).clamp(0.0, LARGEST_GAIN)
    trust = 1e-3 * mean_in.clamp(min=LEAST_LIGHT)
    slope = box_mean(((covariance + trust * ratio) / (variance + trust)).clamp(0.0, LARGEST_GAIN), 3)
    offset = box_mean(mean_out - slope * mean_in, 3)
    slope, offset, dark = (
        F.interpolate(part, size=size, mode="bicubic", align_corners=False)
        for part in (slope, offset, luma(mean_in))
    )
    gain = luma(slope).clamp(min=1.0)
    quiet = reduce_noise(native, gain)
    return desaturate_blacks(slope * quiet + offset, dark, gain).clamp(0.0, 1.0)
