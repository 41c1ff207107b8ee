"""Random changes of brightness, contrast, saturation and hue of damaged pictures, in random order.

GFPGAN (Wang et al., CVPR 2021) makes them after all other damage, in its published training settings (there
`color_jitter_pt`), from which the ranges are. Each change is that of an image editor:

    brightness b   b · I
    contrast c     c · I + (1 - c) · (mean luma of the picture)
    saturation s   s · I + (1 - s) · (luma of the pixel)
    hue h          the hue of HSV, a position on a circle of length 1, plus h

and its result is limited to [0, 1] before the next one.
"""

from __future__ import annotations

from itertools import permutations
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.constants import cached_constant
from lumiface.core.draws import RandomSource, rand
from lumiface.core.settings import Settings
from lumiface.degradations.lowlight import expand_bchw
from lumiface.degradations.parameters import Range, scale_to_range, to_int_range, validate_ranges
from lumiface.imaging.color import luma

ORDERS = tuple(permutations(range(4)))
"""The 24 orders of brightness (0), contrast (1), saturation (2) and hue (3)."""


class JitterConfig(Settings):
    """How many pictures change, and the ranges of the changes."""

    prob: float = Field(default=0.3, ge=0.0, le=1.0, description="fraction of pictures that change")
    brightness: Range = Field(default=(0.5, 1.5), description="factor of the brightness")
    contrast: Range = Field(default=(0.5, 1.5), description="factor of the contrast")
    saturation: Range = Field(default=(0.0, 1.5), description="factor of the saturation; 0: grey")
    hue: Range = Field(default=(-0.1, 0.1), description="shift of the hue; 1 is the whole circle")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        factor = (0.0, 10.0)
        bounds = {"brightness": factor, "contrast": factor, "saturation": factor, "hue": (-0.5, 0.5)}
        validate_ranges(self, bounds)
        return self


def sample_jitter(
    count: int, config: JitterConfig, generator: RandomSource, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The changes of `count` pictures, (count,) each, on the generator's device.

    Returns:
        jitter: 1.0 for pictures that change, else 0.0. jitter_brightness, jitter_contrast, jitter_saturation:
        factors. jitter_hue: shift. jitter_order: index in `ORDERS`, int64.
    """
    unit = rand((6, count), generator, dtype)
    return {
        "jitter": (unit[0] < config.prob).to(dtype),
        "jitter_brightness": scale_to_range(config.brightness, unit[1]),
        "jitter_contrast": scale_to_range(config.contrast, unit[2]),
        "jitter_saturation": scale_to_range(config.saturation, unit[3]),
        "jitter_hue": scale_to_range(config.hue, unit[4]),
        "jitter_order": to_int_range((0, len(ORDERS) - 1), unit[5]),
    }


def apply_jitter(
    pictures: Tensor,
    changed: Tensor,
    brightness: Tensor,
    contrast: Tensor,
    saturation: Tensor,
    hue: Tensor,
    order: Tensor,
) -> Tensor:
    """Change (B, 3, H, W) pictures in [0, 1], each by its own values, (B,) each; see `sample_jitter`.

    Returns:
        The same shape, in [0, 1]; pictures that do not change are returned bit for bit.
    """
    orders = _orders(order.device)[order]
    result = pictures
    for position in range(4):
        kind = expand_bchw(orders[:, position])
        # All four on all pictures: which one is taken differs from picture to picture.
        result = torch.where(
            kind < 2,
            torch.where(
                kind == 0,
                (expand_bchw(brightness) * result).clamp(0.0, 1.0),
                _blend(result, luma(result).mean(dim=(1, 2, 3), keepdim=True), contrast),
            ),
            torch.where(kind == 2, _blend(result, luma(result), saturation), shift_hue(result, hue)),
        )
    return torch.where(expand_bchw(changed) > 0.0, result, pictures)


def shift_hue(pictures: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue (HSV) of (B, 3, H, W) pictures by (B,) shifts; 1 is the whole circle. Greys stay."""
    red, green, blue = pictures.unbind(dim=1)
    value, least = pictures.amax(dim=1), pictures.amin(dim=1)
    chroma = value - least
    divisor = torch.where(chroma > 0.0, chroma, 1.0)
    # Hue in sixths of the circle, from red.
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )
    turned = sixths + 6.0 * shift[:, None, None]

    def channel(start: float) -> Tensor:
        """Full chroma less what the hue's distance from this channel's plateau takes, in [0, chroma]."""
        k = (turned + start) % 6.0
        return value - chroma * torch.minimum(k, 4.0 - k).clamp(0.0, 1.0)

    return torch.stack([channel(5.0), channel(3.0), channel(1.0)], dim=1).clamp(0.0, 1.0)


@cached_constant
def _orders(device: torch.device) -> Tensor:
    return torch.tensor(ORDERS, device=device)


def _blend(pictures: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    weight = expand_bchw(factor)
    return (weight * pictures + (1.0 - weight) * other).clamp(0.0, 1.0)
