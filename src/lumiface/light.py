"""The light of a whole photograph: one smooth tone curve, applied along edges, with the noise held down.

A network restores the faces; the rest of the picture must come out of the dark in the same way, or the faces
look pasted. What happened to the faces' light is fitted by one curve, and the curve is applied to the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.image import luma

LEAST_LIGHT = 1.5 / 255.0
"""Below this an 8-bit picture says nothing about light; gains are not computed from less."""

LARGEST_GAIN = 12.0


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """`y = 1 − (1 − x^a)^b`: smooth, rising, 0 to 0 and 1 to 1, so that nothing is clipped.

    a = b = 1 is the identity; near black y ≈ b·x^a, the form that a darkened exposure needs undone.

    Attributes:
        a, b: the curve's two shape parameters, both positive.
        saturation: factor on the chroma once the gain is applied, fitted together with the curve.
    """

    a: float = 1.0
    b: float = 1.0
    saturation: float = 1.0

    def __call__(self, light: Tensor) -> Tensor:
        """Luma in [0, 1], any shape -> luma in [0, 1]."""
        return 1.0 - (1.0 - light.clamp(0.0, 1.0) ** self.a) ** self.b


def fit_curve(before: Tensor, after: Tensor) -> ToneCurve:
    """The curve that takes one set of colours to another, in the least absolute sense.

    Args:
        before, after: (N, 3) RGB in [0, 1], the same points before and after restoration.
    """
    known = luma(before.T[None, :, :, None]).flatten()
    wanted = luma(after.T[None, :, :, None]).flatten()
    a = torch.logspace(-0.9, 0.3, 49)[:, None, None]
    b = torch.logspace(-0.5, 1.5, 81)[None, :, None]
    # A search over the two parameters on quantiles: robust, without start values, and quick.
    order = known.argsort()
    pick = order[torch.linspace(0, len(order) - 1, min(len(order), 256)).long()]
    curves = 1.0 - (1.0 - known[pick].clamp(0.0, 1.0) ** a) ** b  # (49, 81, points)
    misfit = (curves - wanted[pick]).abs().mean(dim=-1)
    best = int(misfit.argmin())
    curve = ToneCurve(float(a.flatten()[best // b.shape[1]]), float(b.flatten()[best % b.shape[1]]))
    gained = before * (curve(known) / known.clamp(min=LEAST_LIGHT)).clamp(max=LARGEST_GAIN)[:, None]
    chroma = gained - luma(gained.T[None, :, :, None]).flatten()[:, None]
    target = after - wanted[:, None]
    saturation = float((chroma * target).sum() / (chroma * chroma).sum().clamp(min=1e-6))
    return ToneCurve(curve.a, curve.b, min(max(saturation, 0.3), 1.3))


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


def relight(rgb: Tensor, curve: ToneCurve) -> Tensor:
    """Apply a tone curve to a whole picture: edge-aware, colours kept, noise not raised with the light.

    Args:
        rgb: (1, 3, H, W) in [0, 1].

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    light = luma(rgb)
    side = max(rgb.shape[-2:])
    base = guided_filter(light, light, radius=max(2, side // 64), epsilon=2e-3).clamp(LEAST_LIGHT, 1.0)
    gain = (curve(base) / base).clamp(max=LARGEST_GAIN)
    quiet = reduce_noise(rgb, gain)
    bright = calm_blacks(quiet * gain, base, gain)
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


def reduce_noise(rgb: Tensor, gain: Tensor) -> Tensor:
    """Smooth what the gain would turn into visible noise; flat parts only, colour more than light.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        gain: (1, 1, H, W), the factor that will be applied; where it is about 1 nothing is smoothed.
    """
    light = luma(rgb)
    sigma = noise_level(light)
    smooth_light = guided_filter(light, light, radius=2, epsilon=(2.5 * sigma) ** 2)
    chroma = guided_filter(light, rgb - light, radius=4, epsilon=(4.0 * sigma) ** 2)
    return torch.lerp(rgb, smooth_light + chroma, _raised(gain))


def calm_blacks(bright: Tensor, before: Tensor, gain: Tensor) -> Tensor:
    """Take colour out of what was nearly black: there, an 8-bit file's rounding alone makes coloured spots.

    Args:
        bright: (1, 3, H, W) after the gain. before: (1, 1, H, W), the smoothed luma before it, in [0, 1].
        gain: (1, 1, H, W), the factor that was applied; where it is about 1 no colour is taken.
    """
    known = ((before - LEAST_LIGHT) / (10.0 / 255.0)).clamp(0.0, 1.0)
    grey = luma(bright)
    return torch.lerp(bright, grey + (bright - grey) * known, _raised(gain))


def _raised(gain: Tensor) -> Tensor:
    """0 where a gain is too small to make noise visible, 1 where it surely does."""
    return ((gain - 1.2) / 1.3).clamp(0.0, 1.0)


def noise_level(light: Tensor) -> float:
    """Standard deviation of a picture's noise, from what a second difference along both axes leaves of it.

    Immerkaer's mask with the median in place of the mean, so that edges do not count; at least the rounding
    noise of 8 bits.

    Args:
        light: (1, 1, H, W) in [0, 1].
    """
    rounding = 1.0 / 255.0 / 12.0**0.5
    if min(light.shape[-2:]) < 3:
        return rounding
    mask = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], device=light.device)
    response = F.conv2d(light[..., :2048, :2048], mask[None, None]).abs()
    return max(float(response.median()) / 0.6745 / 6.0, rounding)


def guided_filter(guide: Tensor, picture: Tensor, radius: int, epsilon: float) -> Tensor:
    """He, Sun and Tang's guided filter (2013): smooth `picture`, except across edges of `guide`.

    Args:
        guide: (1, 1, H, W). picture: (1, C, H, W).
        radius: of the windows, pixels.
        epsilon: variance of the guide below which a window counts as flat.
    """
    mean_guide, mean_picture = box_mean(guide, radius), box_mean(picture, radius)
    covariance = box_mean(guide * picture, radius) - mean_guide * mean_picture
    variance = (box_mean(guide * guide, radius) - mean_guide * mean_guide).clamp(min=0.0)
    slope = covariance / (variance + epsilon)
    offset = mean_picture - slope * mean_guide
    return box_mean(slope, radius) * guide + box_mean(offset, radius)


def box_mean(picture: Tensor, radius: int) -> Tensor:
    """Mean over (2·radius + 1)² windows; at the rim over what lies inside. Shape (1, C, H, W), kept."""
    side = 2 * radius + 1
    return F.avg_pool2d(
        F.avg_pool2d(picture, (side, 1), stride=1, padding=(radius, 0), count_include_pad=False),
        (1, side), stride=1, padding=(0, radius), count_include_pad=False,
    )  # fmt: skip


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
    return calm_blacks(slope * quiet + offset, dark, gain).clamp(0.0, 1.0)
