"""One row of a before/after contact sheet: the whole picture twice, and its faces at a size to judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lumiface.imaging.quantize import to_uint8

FACE_SIDE = 160
"""Side of a face on the sheet, pixels."""

WIDTH = 1700
"""Width of a sheet, pixels."""

_GAP = 8
_LABEL = 18  # height of the line under a face
_HEADING = 46  # height of the two lines above a row
_WHOLE = 2 * FACE_SIDE + _GAP  # largest side of a whole picture
_LEFT = 3 * _GAP + 2 * _WHOLE  # where the faces begin
_IN_LINE = (WIDTH - _LEFT) // (FACE_SIDE + _GAP)
_INK, _SOFT = (29, 29, 27), (106, 106, 102)


@dataclass(frozen=True, slots=True, eq=False)
class FacePair:
    """A face (1, 3, h, w) before and after, of any two sizes and in [0, 1], and a few words on it."""

    before: Tensor
    after: Tensor
    label: str


def before_after_row(
    name: str, summary: str, whole: tuple[Tensor, Tensor] | None, faces: Sequence[FacePair] = ()
) -> Tensor:
    """A row of the sheet.

    Args:
        name: of the file, the heading.
        summary: one line on what was done.
        whole: the picture before and after, (1, 3, H, W) each, of any two sizes, in [0, 1]; shown at equal
            size, before at the left. None: text alone, for a file that failed.
        faces: shown beside the whole, before above after.

    Returns:
        (1, 3, H', 1700) uint8, on white.
    """
    lines = -(-len(faces) // _IN_LINE)
    line = _WHOLE + _LABEL + _GAP
    height = _HEADING + _GAP + (max(lines, 1) * line if whole is not None else 0)
    sheet = torch.full((1, 3, height, WIDTH), 255, dtype=torch.uint8)
    sheet[..., :_HEADING, :] = _text(WIDTH, _HEADING, [(name, 18, _INK), (summary, 14, _SOFT)], _GAP)
    if whole is None:
        return sheet
    for number, picture in enumerate(whole):
        _put(sheet, _fit(picture, _size_of(whole[0])), _HEADING, _GAP + number * (_WHOLE + _GAP))
    for index, face in enumerate(faces):
        top = _HEADING + index // _IN_LINE * line
        left = _LEFT + index % _IN_LINE * (FACE_SIDE + _GAP)
        _put(sheet, _fit(face.before, (FACE_SIDE, FACE_SIDE)), top, left)
        _put(sheet, _fit(face.after, (FACE_SIDE, FACE_SIDE)), top + FACE_SIDE + _GAP, left)
        _put(sheet, _text(FACE_SIDE, _LABEL, [(face.label, 12, _SOFT)]), top + _WHOLE, left)
    return sheet


def face_window(
    rgb: Tensor, box: tuple[float, float, float, float], scale: float = 1.0, margin: float = 1.6
) -> Tensor:
    """The square part of a picture (1, 3, H, W) around a face: `margin` times the box, moved inside.

    Args:
        box: x1, y1, x2, y2 in pixels of the photograph.
        scale: size of `rgb` over that of the photograph.
    """
    height, width = rgb.shape[-2:]
    x1, y1, x2, y2 = (coordinate * scale for coordinate in box)
    side = min(max(round(margin * max(x2 - x1, y2 - y1)), 1), height, width)
    left = min(max(round((x1 + x2 - side) / 2.0), 0), width - side)
    top = min(max(round((y1 + y2 - side) / 2.0), 0), height - side)
    return rgb[..., top : top + side, left : left + side]


def _size_of(picture: Tensor) -> tuple[int, int]:
    """Height and width at which the picture fills the square of `_WHOLE` pixels."""
    height, width = picture.shape[-2:]
    scale = _WHOLE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _fit(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, 3, *size) uint8, bicubic, antialiased where it is reduced."""
    resized = F.interpolate(
        picture.detach().cpu().float(), size, mode="bicubic", antialias=True, align_corners=False
    )
    return to_uint8(resized.clamp(0.0, 1.0))


def _put(sheet: Tensor, picture: Tensor, top: int, left: int) -> None:
    sheet[..., top : top + picture.shape[-2], left : left + picture.shape[-1]] = picture


def _text(
    width: int, height: int, lines: Sequence[tuple[str, int, tuple[int, int, int]]], indent: int = 0
) -> Tensor:
    """(1, 3, height, width) uint8: lines of (text, size, colour), cut at the right where too long."""
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    for number, (text, size, colour) in enumerate(lines):
        font = ImageFont.load_default(size)
        line = " ".join(text.split())
        if draw.textlength(line, font) > width - 2 * indent:
            while line and draw.textlength(line + "…", font) > width - 2 * indent:
                line = line[:-1]
            line += "…"
        middle = (number + 0.5) * height / len(lines)
        draw.text((indent, middle), line, fill=colour, font=font, anchor="lm")
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1)[None]
