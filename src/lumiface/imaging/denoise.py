"""Noise of dark photographs: estimated, and suppressed before brightening amplifies it."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.filters import box_mean, guided_filter

LEAST_LIGHT = 1.5 / 255.0
"""Lower bound of the values that gains are computed from: an 8-bit picture carries no information below."""

ROUNDING_NOISE = 1.0 / 255.0 / 12.0**0.5
"""Standard deviation of the error of rounding to 8 bits."""

SHADOWS = (0.15, 0.30)
"""Denoising is full below the first luma, where brightening makes noise visible, and off above the second."""


def denoise_shadows(rgb: Tensor) -> Tensor:
    """Non-local means (Buades, Coll and Morel 2005) in the dark parts of a noisy picture.

    Each pixel becomes the weighted mean of the pixels around it; weights fall with the difference of their
    3 x 3 neighbourhoods beyond the estimated noise. A picture whose noise does not exceed its rounding noise,
    or without dark parts, is returned unchanged.

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
    # A search window of 7 x 7 pixels; of 5 x 5 in large pictures, whose noise is finer.
    radius = 3 if height * width < 4_000_000 else 2
    padded = F.pad(rgb, (radius, radius, radius, radius), mode="replicate")
    total, weights = torch.zeros_like(rgb), torch.zeros_like(amount)
    for top in range(2 * radius + 1):
        for left in range(2 * radius + 1):
            other = padded[..., top : top + height, left : left + width]
            distance = box_mean((rgb - other).square().mean(dim=1, keepdim=True), 1)
            # Two noisy copies of one colour differ by 2σ² on average; only the excess counts.
            weight = (-(distance - 2.0 * sigma**2).clamp(min=0.0) / sigma**2).exp()
            total += weight * other
            weights += weight
    return torch.lerp(rgb, total / weights, amount)


def reduce_noise(rgb: Tensor, gain: Tensor) -> Tensor:
    """Smooth noise that the gain would make visible; in flat parts only, chroma more than luma.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        gain: (1, 1, H, W), the factor to be applied; where it is about 1 nothing is smoothed.
    """
    light = luma(rgb)
    sigma = noise_level(light)
    smooth_light = guided_filter(light, light, radius=2, epsilon=(2.5 * sigma) ** 2)
    # Chroma guides itself: two colours of equal luma must not blend into each other.
    chroma = guided_filter(rgb - light, rgb - light, radius=3, epsilon=(3.0 * sigma) ** 2)
    return torch.lerp(rgb, smooth_light + chroma, gain_mask(gain))


def desaturate_blacks(bright: Tensor, before: Tensor, gain: Tensor) -> Tensor:
    """Desaturate pixels that were nearly black, where the rounding to 8 bits alone makes coloured spots.

    Args:
        bright: (1, 3, H, W) after the gain. before: (1, 1, H, W), the smoothed luma before it, in [0, 1].
        gain: (1, 1, H, W), the factor that was applied; where it is about 1 colours are kept.
    """
    saturation = ((before - LEAST_LIGHT) / (10.0 / 255.0)).clamp(0.0, 1.0)
    grey = luma(bright)
    return torch.lerp(bright, grey + (bright - grey) * saturation, gain_mask(gain))


def gain_mask(gain: Tensor) -> Tensor:
    """0 up to a gain of 1.2, where noise stays invisible, rising to 1 at 2.5, where it is visible."""
    return ((gain - 1.2) / 1.3).clamp(0.0, 1.0)


def noise_by_light(rgb: Tensor, light: Tensor) -> Tensor:
    """The noise level as a function of brightness: the sRGB curve amplifies it in dark parts.

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
        level = _deviation(members) if len(members) >= 100 else light.new_tensor(0.0)
        levels.append(level.clamp(ROUNDING_NOISE, 0.06))
    bin_index = torch.bucketize(light, edges[1:-1].contiguous())
    return torch.stack(levels)[bin_index]


def noise_level(light: Tensor) -> float:
    """Standard deviation of a picture's noise, estimated from its second difference along both axes.

    Immerkaer's mask (1996) with the median instead of the mean, which is robust to edges; at least the
    rounding noise of 8 bits.

    Args:
        light: (1, 1, H, W) in [0, 1].
    """
    response = _second_difference(light[..., :2048, :2048])
    return max(float(_deviation(response)), ROUNDING_NOISE) if response.numel() else ROUNDING_NOISE


def _deviation(response: Tensor) -> Tensor:
    """The standard deviation of noise with these responses (any shape), from about 100,000 of them.

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
