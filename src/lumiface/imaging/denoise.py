"""Noise of dark photographs: measured, and held down before it is brightened with the rest."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.filters import box_mean, guided_filter

LEAST_LIGHT = 1.5 / 255.0
"""Below this an 8-bit picture says nothing about light; gains are not computed from less."""

ROUNDING_NOISE = 1.0 / 255.0 / 12.0**0.5
"""Standard deviation that rounding to 8 bits alone brings about."""

SHADOWS = (0.15, 0.30)
"""Luma below which a picture will be brightened so much that its noise shows, and above which it will not."""


def denoise_shadows(rgb: Tensor) -> Tensor:
    """Non-local means (Buades, Coll and Morel 2005) in the dark parts of a noisy picture.

    Each pixel becomes the mean of the pixels around it whose 3 x 3 neighbourhoods look alike, up to the noise
    that was measured. A picture without more noise than its rounding, or without dark parts, stays as it is.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
    """
    low, high = SHADOWS
    light = box_mean(luma(rgb), 4)
    amount = ((high - light) / (high - low)).clamp(0.0, 1.0)
    if float(amount.max()) == 0.0:
        return rgb
    sigma = noise_by_light(rgb, light)
    if float(sigma.max()) < 1.5 * ROUNDING_NOISE:
        return rgb
    height, width = rgb.shape[-2:]
    # Likenesses are looked for among 49 neighbours, in large pictures, whose noise is finer, among 25.
    reach = 3 if height * width < 4_000_000 else 2
    padded = F.pad(rgb, (reach, reach, reach, reach), mode="replicate")
    total, weights = torch.zeros_like(rgb), torch.zeros_like(amount)
    for top in range(2 * reach + 1):
        for left in range(2 * reach + 1):
            other = padded[..., top : top + height, left : left + width]
            unlike = box_mean((rgb - other).square().mean(dim=1, keepdim=True), 1)
            # Two noisy copies of one colour differ by 2σ² on average; only what is beyond that counts.
            weight = (-(unlike - 2.0 * sigma**2).clamp(min=0.0) / sigma**2).exp()
            total += weight * other
            weights += weight
    return torch.lerp(rgb, total / weights, amount)


def reduce_noise(rgb: Tensor, gain: Tensor) -> Tensor:
    """Smooth what the gain would turn into visible noise; flat parts only, colour more than light.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        gain: (1, 1, H, W), the factor that will be applied; where it is about 1 nothing is smoothed.
    """
    light = luma(rgb)
    sigma = noise_level(light)
    smooth_light = guided_filter(light, light, radius=2, epsilon=(2.5 * sigma) ** 2)
    # Colour guides itself: two colours of one brightness must not run into each other.
    chroma = guided_filter(rgb - light, rgb - light, radius=3, epsilon=(3.0 * sigma) ** 2)
    return torch.lerp(rgb, smooth_light + chroma, raised(gain))


def desaturate_blacks(bright: Tensor, before: Tensor, gain: Tensor) -> Tensor:
    """Take colour out of what was nearly black: there, an 8-bit file's rounding alone makes coloured spots.

    Args:
        bright: (1, 3, H, W) after the gain. before: (1, 1, H, W), the smoothed luma before it, in [0, 1].
        gain: (1, 1, H, W), the factor that was applied; where it is about 1 no colour is taken.
    """
    known = ((before - LEAST_LIGHT) / (10.0 / 255.0)).clamp(0.0, 1.0)
    grey = luma(bright)
    return torch.lerp(bright, grey + (bright - grey) * known, raised(gain))


def raised(gain: Tensor) -> Tensor:
    """0 where a gain is too small to make noise visible, 1 where it surely does."""
    return ((gain - 1.2) / 1.3).clamp(0.0, 1.0)


def noise_by_light(rgb: Tensor, light: Tensor) -> Tensor:
    """The noise at each pixel's brightness; the sRGB curve makes it larger where it is dark.

    Args:
        rgb: (1, 3, H, W) in [0, 1]. light: (1, 1, H, W), its smoothed luma.

    Returns:
        (1, 1, H, W), the standard deviation, at least the rounding noise.
    """
    response = _second_difference(rgb)
    inner = light[..., 1:-1, 1:-1].expand_as(response) if response.numel() else response
    edges = torch.linspace(0.0, SHADOWS[1], 11, device=rgb.device).square() / SHADOWS[1]  # finer where darker
    levels = []
    for low, high in pairwise(edges.tolist()):
        members = response[(inner >= low) & (inner < high)]
        known = _deviation(members) if len(members) >= 100 else light.new_tensor(0.0)
        levels.append(known.clamp(ROUNDING_NOISE, 0.06))
    place = torch.bucketize(light, edges[1:-1].contiguous())
    return torch.stack(levels)[place]


def noise_level(light: Tensor) -> float:
    """Standard deviation of a picture's noise, from what a second difference along both axes leaves of it.

    Immerkaer's mask with the median in place of the mean, so that edges do not count; at least the rounding
    noise of 8 bits.

    Args:
        light: (1, 1, H, W) in [0, 1].
    """
    response = _second_difference(light[..., :2048, :2048])
    return max(float(_deviation(response)), ROUNDING_NOISE) if response.numel() else ROUNDING_NOISE


def _deviation(response: Tensor) -> Tensor:
    """The standard deviation that gives such responses (any shape), from some 100,000 of them.

    0.6745 is the median of |N(0, 1)|; 6 the norm of Immerkaer's mask.
    """
    flat = response.flatten()
    return flat[:: max(1, len(flat) // 100_000)].median() / 0.6745 / 6.0


def _second_difference(light: Tensor) -> Tensor:
    """Absolute response to Immerkaer's mask, (1, C, H - 2, W - 2); empty for pictures under 3 pixels."""
    if min(light.shape[-2:]) < 3:
        return light[..., :0, :0]
    mask = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], device=light.device)
    channels = light.shape[1]
    return F.conv2d(light, mask.expand(channels, 1, 3, 3), groups=channels).abs()
