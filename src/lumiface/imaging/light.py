"""How bright a colour is, one gain for all of its channels, which keeps its hue, and a smooth step."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.imaging.color import luma

_STRONGEST = 0.75
"""Weight of the strongest channel. Skin in white light is at about 1.25 of its luma in red, so that its
brightness is its luma; a face under a red lamp has hardly any luma, but nothing may be added to its red."""

_WHITE = (0.5, 0.85)
"""Luma over brightness of what stands under a red lamp, and of skin in white light, lowered by noise."""


def brightness(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): luma, but at least 0.75 of the strongest channel, both in [0, 1].

    What is saturated counts as lit.
    """
    return torch.maximum(luma(rgb), _STRONGEST * strongest(rgb))


def strongest(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): the strongest channel, which a gain clips first."""
    return rgb.amax(dim=1, keepdim=True)


def whiteness(ratio: Tensor) -> Tensor:
    """0 under a lamp of one colour, 1 in white light, from luma over brightness of skin, any shape."""
    return smoothstep((ratio - _WHITE[0]) / (_WHITE[1] - _WHITE[0]))


def scale_colours(rgb: Tensor, gain: Tensor, saturation: Tensor | float = 1.0) -> Tensor:
    """One gain for the three channels: luma is multiplied by it, the hue stays.

    A colour that would leave [0, 1] moves towards the grey of its luma instead of being clipped per channel.

    Args:
        rgb: (B, 3, H, W) in [0, 1]. gain: (B, 1, H, W), 0 or more.
        saturation: factor on the difference from grey, a number or (B, 1, H, W).

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    light = luma(rgb)
    grey = (light * gain).clamp(0.0, 1.0)
    colour = (rgb - light) * gain * saturation
    room_above = (1.0 - grey) / colour.amax(dim=1, keepdim=True).clamp(min=1e-6)
    room_below = grey / (-colour).amax(dim=1, keepdim=True).clamp(min=1e-6)
    return (grey + colour * torch.minimum(room_above, room_below).clamp(max=1.0)).clamp(0.0, 1.0)


def smoothstep(x: Tensor) -> Tensor:
    """0 below 0, 1 above 1, between them a smooth rise that is flat at both ends. Any shape."""
    x = x.clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)
