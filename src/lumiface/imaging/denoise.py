"""Noise of dark photographs: estimated, and suppressed before brightening amplifies it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.dct_shrinkage import ROUNDING_NOISE, shrink_noise
from lumiface.imaging.deblock import remove_block_steps
from lumiface.imaging.filters import box_mean, guided_filter

LEAST_LIGHT = 1.5 / 255.0
"""Lower bound of the values that gains are computed from: an 8-bit picture carries no information below."""

SHADOWS = (0.15, 0.30)
"""Denoising is full below the first luma, where brightening makes noise visible, and off above the second."""


_LARGE = 4_000_000
"""Pixels of a picture whose noise is finer, so that fewer overlapping blocks do."""


def denoise_shadows(rgb: Tensor) -> Tensor:
    """Remove grain and compression blocks from the dark parts of a picture, before they are brightened.

    A picture whose noise does not exceed its rounding noise, or without dark parts, is returned unchanged.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
    """
    low, high = SHADOWS
    amount = ((high - box_mean(luma(rgb), 4)) / (high - low)).clamp(0.0, 1.0)
    if float(amount.max()) == 0.0:
        return rgb
    # Bins of brightness, finer where darker: the sRGB curve amplifies the noise of dark parts.
    edges = (torch.linspace(0.0, high, 11).square() / high).tolist()
    step = 2 if rgb.shape[-2] * rgb.shape[-1] < _LARGE else 4
    even = remove_block_steps(rgb, high)
    quiet = shrink_noise(even, edges, step)
    quiet = even if quiet is None else quiet.clamp(0.0, 1.0)
    return rgb if quiet is rgb else torch.lerp(rgb, quiet, amount)


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
