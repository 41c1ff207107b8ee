"""Relighting of a whole photograph: one gain for all channels, edge-aware, without noise, tile by tile.

A network restores the faces; what surrounds them must be brightened alike, or the faces look pasted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.coarse import CoarsePlanes
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import REDUCE_REACH, desaturate_blacks, gain_mask, reduce_noise
from lumiface.imaging.filters import box_mean
from lumiface.imaging.light import scale_colours, strongest
from lumiface.imaging.noise_level import LEVEL_SIDE, noise_level
from lumiface.imaging.strips import Overwritten, Tile, bands, tiles
from lumiface.imaging.threads import in_threads
from lumiface.restoration.light.tone_curve import ToneCurve
from lumiface.restoration.light.tone_map import Tone, ToneMap, uniform_tone

_DETAIL = 0.03
"""Contrast, in the square root of brightness, below which structure is detail: scaled, not flattened."""

_CELLS = 4
"""Radius of the filter that separates brightness from detail, in cells of a large picture."""

_ROWS, _COLUMNS = 128, 512  # of a tile: its planes stay in the cache of a core


def relight(
    rgb: Tensor,
    tone: ToneMap | ToneCurve,
    denoised: Tensor | None = None,
    *,
    in_place: bool = False,
) -> Tensor:
    """Brighten a whole picture: hues and the contrast of detail are kept, noise does not grow with the light.

    The gain follows the brightness without its detail, smoothed but for edges, so there are no halos. Memory
    beyond the result is that of a band of rows.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        tone: the curve, or the curve at every place.
        denoised: the denoised picture, used where the tone brightens; elsewhere the picture stays sharp.
        in_place: the result takes the place of `denoised`, unless that is `rgb` itself.

    Returns:
        (1, 3, H, W) in [0, 1]; where the gain is 1, the picture itself.
    """
    tone = uniform_tone(tone) if isinstance(tone, ToneCurve) else tone
    quiet = rgb if denoised is None else denoised
    lit = quiet if in_place and quiet is not rgb else torch.empty_like(rgb)
    work = _Relighting(rgb, tone, brightness_lines(quiet))
    sigma = work.noise(quiet)
    before = Overwritten(quiet, REDUCE_REACH)
    height, width = rgb.shape[-2:]
    for band in bands(height, width, _ROWS, REDUCE_REACH):
        rows = band.read(quiet)
        if lit is quiet:
            rows = before.read(band.origin[0], band.end[0])
            before.advance(band.bottom)
        in_threads(partial(work.write, lit, rows, sigma), band.columns(_COLUMNS), lit.device)
    return lit


def brightness_lines(quiet: Tensor) -> CoarsePlanes:
    """Slope and offset that make of the square root of a pixel's brightness that without its detail.

    They are those of a guided filter (`filters.guided_filter`) of a hundredth of the picture; in the square
    root noise is about even. In a large picture the windows are made of cells, whose means are exact, and
    slope and offset, which vary slowly, are found for the cells only.

    Args:
        quiet: (1, 3, H, W) in [0, 1].
    """
    height, width = quiet.shape[-2:]
    radius = max(2, round(0.01 * min(height, width)))
    cell = max(1, (2 * radius + 1) // (2 * _CELLS + 1))
    means: list[Tensor] = []
    for strip in bands(height, width, cell * max(1, 64 // cell)):
        root = strongest(strip.read(quiet)).sqrt()
        both = torch.cat([root, root.square()], 1)
        means.append(F.avg_pool2d(both, cell, ceil_mode=True) if cell > 1 else both)
    mean, square = box_mean(torch.cat(means, -2), radius if cell == 1 else _CELLS).split(1, 1)
    variance = square - mean * mean
    slope = variance / (variance.clamp(min=0.0) + _DETAIL**2)
    lines = box_mean(torch.cat([slope, mean - slope * mean], 1), radius if cell == 1 else _CELLS)
    return CoarsePlanes(lines, (float(cell), float(cell)))


@dataclass(frozen=True, slots=True, eq=False)
class _Relighting:
    """The work on one tile with a halo of `REDUCE_REACH`; `quiet`: the denoised tile, with the halo."""

    rgb: Tensor
    tone: ToneMap
    lines: CoarsePlanes

    def noise(self, quiet: Tensor) -> float:
        """The noise level of the picture as `reduce_noise` sees it; `quiet`: the whole."""
        height, width = (min(side, LEVEL_SIDE) for side in quiet.shape[-2:])
        light = quiet.new_empty(1, 1, height, width)

        def write(tile: Tile) -> None:
            tile = replace(tile, height=quiet.shape[-2], width=quiet.shape[-1])
            tile.place(light).copy_(luma(self._mix(tile, tile.read(quiet))[0]))

        in_threads(write, tiles(height, width, (_ROWS, _COLUMNS)), light.device)
        return noise_level(light)

    def write(self, lit: Tensor, rows: Tensor, sigma: float, tile: Tile) -> None:
        """The tile of a band into its place in `lit`; `rows`: the band of `quiet`, with the halo."""
        tile.place(lit).copy_(self.tile(tile, rows[..., tile.origin[1] : tile.end[1]], sigma))

    def tile(self, tile: Tile, quiet: Tensor, sigma: float) -> Tensor:
        """The relit tile, without the halo."""
        mixed, tone, light = self._mix(tile, quiet)
        smooth = tile.inner(reduce_noise(mixed, tone.gain(light), sigma))
        tone = tone.part(tile.inner)
        gain = tone.gain(strongest(smooth))
        # Near an edge the mean around a black pixel is not black, so the pixel's own luma bounds it.
        before = torch.minimum(tile.inner(box_mean(light, 2)), luma(smooth))
        return scale_colours(desaturate_blacks(smooth, before, gain), gain, tone.saturation_of(gain))

    def _mix(self, tile: Tile, quiet: Tensor) -> tuple[Tensor, Tone, Tensor]:
        """The picture, denoised where it is brightened; its tone; strongest channel of `quiet`."""
        light = strongest(quiet)
        slope, offset = self.lines.at(tile).split(1, 1)
        base = (slope * light.sqrt() + offset).clamp_(0.0, 1.0).square_()
        tone = self.tone.at(base, tile)
        return tile.read(self.rgb).lerp(quiet, gain_mask(tone.gain(light))), tone, light
