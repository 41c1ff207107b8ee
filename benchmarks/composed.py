"""Large dark photographs with faces, composed for measurements of speed and memory; always the same.

The background is the lower half of a real photograph of people, without their heads, enlarged; faces of
several sizes lie on it in rows, with soft rims. All is darkened, with noise, as a crowd at night.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sections import REAL, first_pictures
from torch import Tensor

from lumiface.data.sources import PictureSource
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8

FACES = "faces256-test"
BACKGROUND = 20  # of the photographs: people in a dim room
LIGHT = 0.22  # factor on the values
NOISE = 5.0  # standard deviation in 8-bit levels
SIDES = (0.22, 0.17, 0.13, 0.10, 0.08)  # of the faces' squares, in heights of a picture with ten of them
ROWS = 512  # noise is added in strips


def compose(args: argparse.Namespace, megapixels: float, faces: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8, three wide to two high, with faces of falling size from left to right."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    width = round(megapixels * 1e6 / height)
    canvas = _background(args, height, width)
    source = first_pictures(args, FACES)
    for number, (top, left, side) in enumerate(_places(height, width, faces)):
        _lay(canvas[..., top : top + side, left : left + side], _face(source, number, side))
    return _darken(canvas)


def _background(args: argparse.Namespace, height: int, width: int) -> Tensor:
    photographs = first_pictures(args, REAL)
    picture = from_uint8(decode_rgb8(photographs.read(BACKGROUND), photographs.names[BACKGROUND]))
    picture = picture[..., picture.shape[-2] // 2 :, :]
    return F.interpolate(picture, (height, width), mode="bilinear", align_corners=False)


def _places(height: int, width: int, faces: int) -> list[tuple[int, int, int]]:
    """Top, left and side of every face: in rows of five, each on its own part of the picture."""
    rows = -(-faces // len(SIDES))
    shrink = min(1.0, 4.0 / rows)
    places: list[tuple[int, int, int]] = []
    for number in range(faces):
        row, column = divmod(number, len(SIDES))
        side = int(SIDES[(column + row) % len(SIDES)] * shrink * height)
        middle = ((row + 0.5) * height / rows, (column + 0.5) * width / len(SIDES))
        top, left = (max(0, int(place - side / 2)) for place in middle)
        places.append((min(top, height - side), min(left, width - side), side))
    return places


def _face(source: PictureSource, number: int, side: int) -> Tensor:
    index = number % len(source)
    face = from_uint8(decode_rgb8(source.read(index), source.names[index]))
    return F.interpolate(face, (side, side), mode="bicubic", antialias=True).clamp(0.0, 1.0)


def _lay(under: Tensor, face: Tensor) -> None:
    """Over a part of the canvas, in place, with a round soft rim."""
    at = (torch.arange(face.shape[-1]) + 0.5) / face.shape[-1] * 2.0 - 1.0
    radius = (at.square()[:, None] + at.square()).sqrt()
    under.lerp_(face, ((1.0 - radius) / 0.15).clamp(0.0, 1.0))


def _darken(canvas: Tensor) -> npt.NDArray[np.uint8]:
    generator = torch.Generator().manual_seed(0)
    height, width = canvas.shape[-2:]
    result = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, ROWS):
        strip = canvas[0, :, top : top + ROWS].permute(1, 2, 0) * (LIGHT * 255.0)
        noise = torch.randn(strip.shape, generator=generator) * NOISE
        result[top : top + ROWS] = (strip + noise).round_().clamp_(0, 255).to(torch.uint8).numpy()
    return result
