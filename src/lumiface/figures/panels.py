"""Pictures side by side, each with a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lumiface.imaging.quantize import from_uint8

_GAP = 12


def labelled_row(pictures: Sequence[Tensor], labels: Sequence[str]) -> Tensor:
    """Pictures (1, 3, H, W) of one size, in [0, 1], and their labels -> one picture on white.

    Returns:
        (1, 3, H', W'), the pictures in a row with the labels below, a gap between and around.

    Raises:
        ValueError: the pictures differ in size, or the numbers of pictures and labels differ.
    """
    if len({picture.shape for picture in pictures}) != 1:
        raise ValueError("a row needs pictures of one size")
    height, width = pictures[0].shape[-2:]
    text = max(14, height // 24)
    strip = text * 2
    sheet = torch.ones(1, 3, height + strip + _GAP, len(pictures) * (width + _GAP) + _GAP)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left = _GAP + number * (width + _GAP)
        sheet[..., _GAP : _GAP + height, left : left + width] = picture.clamp(0.0, 1.0)
        sheet[..., _GAP + height :, left : left + width] = _caption(label, width, strip, text)
    return sheet


def _caption(label: str, width: int, height: int, size: int) -> Tensor:
    """(1, 3, height, width): the label, centred; in a smaller font where it would not fit."""
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size)
    while size > 8 and draw.textlength(label, font) > width:
        size -= 1
        font = ImageFont.load_default(size)
    draw.text((width / 2, height / 2), label, fill="black", font=font, anchor="mm")
    return from_uint8(np.array(canvas))
