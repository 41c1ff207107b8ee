"""Relighting of a whole photograph: one smooth tone curve, applied edge-aware, with noise suppression.

A network restores the faces; the background must be brightened alike, or the faces look pasted. One curve is
fitted to the change of the faces' brightness and applied to the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT, desaturate_blacks, gain_mask, reduce_noise
from lumiface.imaging.filters import box_mean

LARGEST_GAIN = 12.0


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """`y = 1 − (1 − x^a)^b` on each channel: smooth, rising, 0 to 0 and 1 to 1, so that nothing is clipped.

    a = b = 1 is the identity; near black y ≈ b·x^a, the inverse of a darkened exposure.

    Attributes:
        a, b: the curve's two shape parameters, both positive.
        saturation: factor on the chroma after the curve.
    """

    a: float = 1.0
    b: float = 1.0
    saturation: float = 1.0

    def __call__(self, light: Tensor) -> Tensor:
        """Values in [0, 1], any shape, to values in [0, 1]."""
        return 1.0 - (1.0 - light.clamp(0.0, 1.0) ** self.a) ** self.b

    def applied(self, colours: Tensor) -> Tensor:
        """The curve on every channel, its gain bounded near black, where its slope may be infinite."""
        return torch.minimum(self(colours), LARGEST_GAIN * colours.clamp(0.0, 1.0))


def fit_curve(before: Tensor, after: Tensor) -> ToneCurve:
    """The curve that maps one set of colours to another with the least mean absolute error of luma.

    Args:
        before, after: (N, 3) RGB in [0, 1], the same points before and after restoration.
    """
    source, target = _light(before), _light(after)
    a = torch.logspace(-0.9, 0.3, 49)[:, None, None]
    b = torch.logspace(-0.5, 1.5, 81)[None, :, None]
    # A grid search over the two parameters on quantiles: robust, without start values, and fast.
    order = source.argsort()
    pick = order[torch.linspace(0, len(order) - 1, min(len(order), 256)).long()]
    curves = 1.0 - (1.0 - source[pick].clamp(0.0, 1.0) ** a) ** b  # (49, 81, points)
    error = (curves - target[pick]).abs().mean(dim=-1)
    best = int(error.argmin())
    curve = ToneCurve(float(a.flatten()[best // b.shape[1]]), float(b.flatten()[best % b.shape[1]]))
    chroma, target_chroma = _chroma(curve.applied(before)), _chroma(after)
    saturation = float((chroma * target_chroma).sum() / (chroma * chroma).sum().clamp(min=1e-6))
    return ToneCurve(curve.a, curve.b, min(max(saturation, 0.3), 1.3))


def _light(colours: Tensor) -> Tensor:
    """(N, 3) RGB -> (N,) luma."""
    return luma(colours.T[None, :, :, None]).flatten()


def _chroma(colours: Tensor) -> Tensor:
    """(N, 3) RGB -> RGB minus luma."""
    return colours - _light(colours)[:, None]


def fallback_curve(rgb: Tensor, target: float = 0.42) -> ToneCurve:
    """The curve for a picture without a restored face: the power that raises its mean luma to `target`.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
    """
    light = luma(F.interpolate(rgb, size=(64, 64), mode="area")).flatten()
    if float(light.mean()) >= target:
        return ToneCurve()
    powers = torch.linspace(1.0, 0.3, 71)
    means = (light[None, :].clamp(min=LEAST_LIGHT) ** powers[:, None]).mean(dim=1)
    return ToneCurve(a=float(powers[int((means - target).abs().argmin())]))


def relight(rgb: Tensor, curve: ToneCurve, denoised: Tensor | None = None) -> Tensor:
    """Apply a tone curve to a whole picture: colours are kept, noise is not amplified with the light.

    The curve acts on each pixel after edge-preserving smoothing, whose strength grows with the gain; so the
    gain itself needs no blur, and there are no halos.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        denoised: the denoised picture, used where the curve brightens; elsewhere the picture stays sharp.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    light = luma(rgb if denoised is None else denoised).clamp(min=LEAST_LIGHT)
    gain = curve.applied(light) / light
    if denoised is not None:
        rgb = rgb.lerp(denoised, gain_mask(gain))
    smooth = reduce_noise(rgb, gain)
    # Near an edge the mean around a black pixel is not black, so the pixel's own luma bounds it.
    before = torch.minimum(box_mean(light, 2), luma(smooth))
    bright = desaturate_blacks(curve.applied(smooth), before, gain)
    brightness = luma(bright)
    # Where the gain is 1, saturation does not change either.
    saturation = 1.0 + (curve.saturation - 1.0) * ((gain - 1.0).abs() * 2.0).clamp(max=1.0)
    coloured = brightness + (bright - brightness) * saturation
    # A colour outside [0, 1] moves towards grey instead of being clipped per channel.
    brightness = brightness.clamp(0.0, 1.0)
    span = (coloured - brightness).abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
    room = torch.minimum(brightness, 1.0 - brightness)
    over = ((coloured - brightness).amax(dim=1, keepdim=True) > 1.0 - brightness) & (span > room)
    factor = torch.where(over, (1.0 - brightness) / span, torch.ones_like(span))
    return (brightness + (coloured - brightness) * factor).clamp(0.0, 1.0)


def transfer_light(native: Tensor, small: Tensor, small_lit: Tensor) -> Tensor:
    """Transfer the network's relighting of a downscaled face to the full-resolution face, keeping its detail.

    Locally the relit copy is a linear function of the copy, with a slope and an offset. Both are smooth, so
    they are upsampled and applied at full resolution (the idea of the fast guided filter).

    Args:
        native: (1, 3, H, W). small, small_lit: (1, 3, h, w), the downscaled copy before and after.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    size = native.shape[-2:]
    mean_in, mean_out = box_mean(small, 3), box_mean(small_lit, 3)
    covariance = box_mean(small * small_lit, 3) - mean_in * mean_out
    variance = (box_mean(small * small, 3) - mean_in * mean_in).clamp(min=0.0)
    # In flat parts the slope falls back to the plain ratio of the means, which cannot invert a structure.
    ratio = (mean_out / mean_in.clamp(min=LEAST_LIGHT)).clamp(0.0, LARGEST_GAIN)
    trust = 1e-3 * mean_in.clamp(min=LEAST_LIGHT)
    slope = box_mean(((covariance + trust * ratio) / (variance + trust)).clamp(0.0, LARGEST_GAIN), 3)
    offset = box_mean(mean_out - slope * mean_in, 3)
    slope, offset, dark = (
        F.interpolate(part, size=size, mode="bicubic", align_corners=False)
        for part in (slope, offset, luma(mean_in))
    )
    gain = luma(slope).clamp(min=1.0)
    denoised = reduce_noise(native, gain)
    return desaturate_blacks(slope * denoised + offset, dark, gain).clamp(0.0, 1.0)
