"""Colours under transparent pixels: hidden ones are replaced, so that no filter mixes them into the visible.

A cut-out keeps any colour where it is transparent, often green or black. Enlarged or filtered, it would show
as a rim. Here such pixels take the colour of the visible ones nearest to them, weighted by their alpha
("premultiplied"), from a pyramid of averages.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.strips import Tile, bands, tiles

TRUSTED = 1 / 16
"""Alpha from which on a pixel keeps its colour entirely; below, it has few levels left of it."""


_TILE = (128, 512)  # rows and columns, even


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
    return _filled(rgb, weight)


def _filled(rgb: Tensor, weight: Tensor) -> Tensor:
    """The colours, mixed by their weight with averages of those around them, each from the smallest
    neighbourhood that has any weight."""
    height, width = rgb.shape[-2:]
    if height == 1 and width == 1:
        return rgb
    mean, trust = _halved(rgb, weight)
    coarse = mean if bool((trust >= 1.0).all()) else _filled(mean, trust)
    result = rgb.clone()
    for tile in tiles(height, width, _TILE):
        hidden = 1.0 - tile.place(weight)
        if bool((hidden > 0.0).any()):
            tile.place(result).lerp_(_doubled(coarse, tile), hidden)
    return result


def _halved(rgb: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means over 2 x 2 pixels, and their weights in [0, 1], at half the size."""
    height, width = rgb.shape[-2:]
    means: list[Tensor] = []
    weights: list[Tensor] = []
    for band in bands(height, width, _TILE[0]):
        part, share = band.place(rgb), band.place(weight)
        padding = (0, width % 2, 0, (band.bottom - band.top) % 2)
        product = F.avg_pool2d(F.pad(part * share, padding), 2)
        total = F.avg_pool2d(F.pad(share, padding), 2)
        means.append(product / total.clamp(min=1e-6))
        weights.append((total * 4.0).clamp(0.0, 1.0))
    return torch.cat(means, -2), torch.cat(weights, -2)


def _doubled(coarse: Tensor, tile: Tile) -> Tensor:
    """A tile that begins at an even row and column of the picture of twice the size."""
    top, left = max(0, tile.top // 2 - 1), max(0, tile.left // 2 - 1)
    part = coarse[..., top : tile.bottom // 2 + 2, left : tile.right // 2 + 2]
    fine = F.interpolate(part, scale_factor=2, mode="bilinear", align_corners=False)
    y, x = tile.top - 2 * top, tile.left - 2 * left
    return fine[..., y : y + tile.bottom - tile.top, x : x + tile.right - tile.left]
