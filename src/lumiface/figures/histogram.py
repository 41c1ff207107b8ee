"""Colour histograms of a picture before and after darkening, with the channels' means (LFSRNet, Fig. 2).

The figure is the paper's argument for an additive illumination correction: in a dark picture all three
channels are concentrated at the left end, and only larger values restore them. Exact: the histograms of 8-bit
levels and the means of the whole picture. Unknown: the scale of the paper's axes; here each histogram has its
own vertical axis, or the dark one would flatten the other, and a level with far more pixels than any other
(mostly black) is cut off at the top.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lumiface.imaging.quantize import from_uint8, to_uint8

_SUPERSAMPLING = 3  # rendered larger, then reduced: Pillow's lines and areas are not antialiased
_SIDE, _PLOT, _GAP, _STRIP = 300, 620, 24, 56
_AXIS = 26  # height of the tick labels below a histogram
_COLOURS = ((205, 62, 48), (44, 142, 84), (48, 98, 196))
_INK, _SOFT, _LINE = (29, 29, 27), (106, 106, 102), (222, 222, 216)


def channel_histograms(picture: Tensor) -> Tensor:
    """Distribution of each channel's pixels over the 256 levels.

    Args:
        picture: (1, 3, H, W), RGB in [0, 1].

    Returns:
        (3, 256), fractions of the pixels; each row sums to 1.
    """
    levels = to_uint8(picture)[0].flatten(1).long()
    counts = torch.stack([torch.bincount(channel, minlength=256) for channel in levels])
    return counts.double() / levels.shape[1]


def histogram_figure(
    original: Tensor, dark: Tensor, labels: tuple[str, str] = ("original", "darkened")
) -> Tensor:
    """Two rows: the picture, and its three histograms with a dashed line at each channel's mean.

    Args:
        original, dark: (1, 3, H, W) each, RGB in [0, 1]; the sizes may differ.
        labels: heading of each row.

    Returns:
        (1, 3, H', W'), one picture on white.
    """
    return torch.cat([_row(original, labels[0]), _row(dark, labels[1])], dim=2)


def _row(picture: Tensor, label: str) -> Tensor:
    """(1, 3, _SIDE + _STRIP + _GAP, width): one picture beside its histograms."""
    width = 3 * _GAP + _SIDE + _PLOT
    height = _STRIP + _SIDE + _GAP
    canvas = Image.new("RGB", (width * _SUPERSAMPLING, height * _SUPERSAMPLING), "white")
    draw = ImageDraw.Draw(canvas)
    means = to_uint8(picture)[0].double().mean(dim=(1, 2)).tolist()
    _text(draw, _GAP, _STRIP / 2, label, _INK, size=19)
    _means(draw, 2 * _GAP + _SIDE, _STRIP / 2, means)
    _histograms(canvas, channel_histograms(picture), means, (2 * _GAP + _SIDE, _STRIP))
    small = canvas.resize((width, height), Image.Resampling.LANCZOS)
    sheet = from_uint8(np.array(small))
    fitted = _fit(picture)
    top, left = _STRIP + (_SIDE - fitted.shape[-2]) // 2, _GAP + (_SIDE - fitted.shape[-1]) // 2
    sheet[..., top : top + fitted.shape[-2], left : left + fitted.shape[-1]] = fitted
    return sheet


def _histograms(
    canvas: Image.Image, histograms: Tensor, means: list[float], corner: tuple[float, float]
) -> None:
    """Three translucent areas on one axis of levels."""
    left, top = corner
    bottom = top + _SIDE - _AXIS
    draw = ImageDraw.Draw(canvas)
    for level in (0, 64, 128, 192, 255):
        x = left + _PLOT * level / 255
        _line(draw, (x, top), (x, bottom), _LINE)
        _text(draw, x, bottom + _AXIS / 2 + 3, f"{level}", _SOFT, size=14, anchor="mm")
    ceiling = _ceiling(histograms)
    for histogram, colour in zip(histograms.tolist(), _COLOURS, strict=True):
        outline = [
            (left + _PLOT * level / 255, bottom - (bottom - top) * min(value / ceiling, 1.0))
            for level, value in enumerate(histogram)
        ]
        layer = Image.new("RGBA", canvas.size, (*colour, 0))
        area = [(left, bottom), *outline, (left + _PLOT, bottom)]
        ImageDraw.Draw(layer).polygon([_scaled(point) for point in area], fill=(*colour, 70))
        canvas.paste(layer, (0, 0), layer)
        draw.line(
            [_scaled(point) for point in outline],
            fill=colour,
            width=round(1.6 * _SUPERSAMPLING),
            joint="curve",
        )
    for mean, colour in zip(means, _COLOURS, strict=True):
        x = left + _PLOT * mean / 255
        for start in range(int(top), int(bottom), 9):
            _line(draw, (x, start), (x, min(start + 5, bottom)), colour, width=1.6)
    _line(draw, (left, bottom), (left + _PLOT, bottom), _INK)


def _ceiling(histograms: Tensor) -> float:
    """The fraction at the axis's top: the largest, ignoring the highest two levels of each channel."""
    largest = histograms.sort(dim=1).values[:, -3].max().item()
    return 1.08 * (largest or histograms.max().item())


def _means(draw: ImageDraw.ImageDraw, x: float, y: float, means: list[float]) -> None:
    """ "mean  R 121  G 99  B 90", each in its colour, and a patch of the mean colour at the right end."""
    _text(draw, x, y, "mean", _SOFT, size=17)
    for index, (name, mean, colour) in enumerate(zip("RGB", means, _COLOURS, strict=True)):
        _text(draw, x + 62 + 84 * index, y, f"{name} {mean:.0f}", colour, size=17)
    patch = tuple(round(mean) for mean in means)
    corners = [_scaled((x + _PLOT - 64, y - 12)), _scaled((x + _PLOT, y + 12))]
    draw.rectangle((*corners[0], *corners[1]), fill=patch, outline=_LINE, width=_SUPERSAMPLING)


def _fit(picture: Tensor) -> Tensor:
    """The picture, resized to fit a square of `_SIDE` pixels."""
    height, width = picture.shape[-2:]
    scale = _SIDE / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(picture, size, mode="bicubic", antialias=scale < 1.0, align_corners=False).clamp(
        0.0, 1.0
    )


def _text(
    draw: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: tuple[int, int, int],
    size: int, anchor: str = "lm",
) -> None:  # fmt: skip
    draw.text(
        _scaled((x, y)), text, fill=colour, font=ImageFont.load_default(size * _SUPERSAMPLING), anchor=anchor
    )


def _line(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float],
    colour: tuple[int, int, int], width: float = 1.0,
) -> None:  # fmt: skip
    draw.line([_scaled(start), _scaled(end)], fill=colour, width=round(width * _SUPERSAMPLING))


def _scaled(point: tuple[float, float]) -> tuple[float, float]:
    return point[0] * _SUPERSAMPLING, point[1] * _SUPERSAMPLING
