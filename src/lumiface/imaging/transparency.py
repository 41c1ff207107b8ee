"""Colours under transparent pixels: hidden ones are replaced, so that no filter mixes them into the visible.

A cut-out keeps any colour where it is transparent, often green or black. Enlarged or filtered, it would show
as a rim. Here such pixels take the colour of the visible ones nearest to them, weighted by their alpha
("premultiplied"), from a pyramid of averages.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TRUSTED = 1 / 16
"""Alpha from which on a pixel keeps its colour entirely; below, it has few levels left of it."""


def visible_alpha(alpha: Tensor | None) -> Tensor | None:
    """The alpha channel, or None if it is opaque everywhere."""
    return None if alpha is None or bool((alpha >= 1.0).all()) else alpha


def fill_hidden(rgb: Tensor, alpha: Tensor | None) -> Tensor:
    """The colours with those under transparent pixels replaced by their visible surroundings'.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        alpha: (1, 1, H, W) in [0, 1], or None: opaque.

    Returns:
        (1, 3, H, W); `rgb` itself where nothing is hidden. Pixels with alpha of at least `TRUSTED` are
        unchanged; a picture without any visible pixel stays as it is.
    """
    if alpha is None:
        return rgb
    weight = (alpha / TRUSTED).clamp(0.0, 1.0)
    if bool((weight >= 1.0).all()) or not bool((weight > 0.0).any()):
        return rgb
    return rgb.lerp(_surroundings(rgb, weight), 1.0 - weight)


def _surroundings(rgb: Tensor, weight: Tensor) -> Tensor:
    """Averages of the weighted pixels, each from the smallest neighbourhood that has any."""
    height, width = rgb.shape[-2:]
    if height == 1 and width == 1:
        return rgb
    padding = (0, width % 2, 0, height % 2)
    product = F.avg_pool2d(F.pad(rgb * weight, padding), 2)
    total = F.avg_pool2d(F.pad(weight, padding), 2)
    mean = product / total.clamp(min=1e-6)
    trust = (total * 4.0).clamp(0.0, 1.0)
    coarse = mean if bool((trust >= 1.0).all()) else mean.lerp(_surroundings(mean, trust), 1.0 - trust)
    fine = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return fine[..., :height, :width]
