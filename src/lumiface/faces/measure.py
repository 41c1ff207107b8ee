"""Measures of one face of a photograph before restoration: size, light, detail, noise, blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.blocks import block_strength
from lumiface.faces.effective_resolution import CROP_SIZE, effective_resolution
from lumiface.faces.face import Face
from lumiface.faces.noise import noise_deviation
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import noise_level
from lumiface.imaging.light import brightness

WELL_LIT = (0.24, 0.32)
"""Light of a face (`face_light`): dark below the first, well lit above the second. Measured: of 320 normally
lit faces of four groups 315 lie above 0.32, and 95 % of each group above 0.34 (white 0.44, black 0.34, Asian
0.36, Indian 0.39); of 300 portraits 95 % above 0.42; of 30 photographs with a mean luma below 0.3 the middle
face lies at 0.26. The nine of those above 0.32 are dark around the face, or red."""

READABLE = (4.0, 8.0)
"""Levels of 255 that a face spans from its darkest to its brightest 5 %, without noise: too few to read
anything below the first, enough above the second. Measured on 40 faces of faces256-val, darkened as a camera
does, reduced to 32 (64) pixels and restored by `lumiface-x4-real`, as the EdgeFace cosine with the original:
10 levels 0.45 (0.76), 6 levels 0.37 (0.64), 4.5 levels 0.33 (0.58), 3.4 levels 0.25 (0.48), 2.3 levels 0.15
(0.26); two different people have 0.03 with a deviation of 0.1. Faces whose light is 0.011 span less than the
first in 9 of 10 cases, at 0.015 in half, at 0.04 in 1 of 30."""

_READ_AT = 64  # pixels per side at which that is measured: the pixels of a larger face are averaged first

_CENTRE, _RADII = (0.5, 0.61), (0.19, 0.24)
"""An ellipse of an aligned face, fractions of its side: brows to chin, without hair, ears and background."""


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """Size, light, detail, noise and blocks of a face.

    Attributes:
        side: of the aligned square in pixels of the photograph.
        light: mean brightness of the face without hair and background, 0 to 1.
        detail: effective resolution: the side in pixels that suffices for all detail of the square; at most
            `side`, and 256.
        noise: standard deviation in 8-bit levels, at the photograph's own resolution; a sharp face without
            visible noise has 1 to 2.5, a soft one less.
        blocks: mean step at the borders of JPEG's blocks around the face, in 8-bit levels; 0: none found.
    """

    side: float
    light: float
    detail: float
    noise: float = 0.0
    blocks: float = 0.0


def measure_face(rgb: Tensor, face: Face) -> FaceMeasures:
    """Measures of one face of a photograph (1, 3, H, W)."""
    crop = crop_face(rgb, face_matrix(face), CROP_SIZE)
    side = native_side(face)
    detail = min(effective_resolution(crop.cpu()), max(side, 1.0))
    noise = noise_deviation(_around(rgb, face, 1.0).cpu())
    # The grid is the photograph's, so the surroundings help to see it.
    blocks = block_strength(_around(rgb, face, 2.0).cpu())
    return FaceMeasures(side, face_light(crop), detail, noise, blocks)


def _around(rgb: Tensor, face: Face, factor: float) -> Tensor:
    """The part of the photograph around a face's box: its sides times `factor`, 64 to 512 pixels."""
    height, width = rgb.shape[-2:]
    x1, y1, x2, y2 = face.box
    half = min(max(max(x2 - x1, y2 - y1) * factor, 64.0), 512.0) / 2.0
    x, y = min(max((x1 + x2) / 2.0, 0.0), width - 1.0), min(max((y1 + y2) / 2.0, 0.0), height - 1.0)
    top, left = max(0, round(y - half)), max(0, round(x - half))
    return rgb[..., top : round(y + half) + 1, left : round(x + half) + 1]


def face_light(crop: Tensor) -> float:
    """Mean brightness of an aligned face (1, 3, S, S), 0 to 1.

    Only the face counts, not what is seen around it: a bright sea does not make a face well lit, a dark wall
    or long hair does not make it dark.
    """
    inside = inner_face(crop.shape[-1], crop.device)
    return float((brightness(crop) * inside).sum() / inside.sum())


def face_readability(rgb: Tensor, face: Face) -> float:
    """How far the features of a face can be read from its pixels, 0 to 1, by the levels that are left of it.

    Where there is hardly any light, rounding to 8 bits leaves a handful of levels, and whatever a network
    draws from them is another person. At 0 nothing should be drawn, only light be given.

    Args:
        rgb: the photograph, (1, 3, H, W).
    """
    matrix, side = face_matrix(face), round(min(max(native_side(face), 12.0), _READ_AT))
    light = luma(crop_face(rgb, matrix, side).cpu().clamp(0.0, 1.0))
    inside = light[inner_face(side, light.device) > 0]
    low, high = inside.quantile(torch.tensor([0.05, 0.95])).tolist()
    noise = 3.3 * noise_level(light)  # 5 % to 95 % of a normal distribution span 3.3 standard deviations
    levels = 255.0 * max((high - low) ** 2 - noise**2, 0.0) ** 0.5
    return min(max((levels - READABLE[0]) / (READABLE[1] - READABLE[0]), 0.0), 1.0)


def inner_face(side: int, device: torch.device) -> Tensor:
    """(1, 1, side, side): 1 over the skin of an aligned face, from brows to chin, 0 elsewhere."""
    at = (torch.arange(side, device=device) + 0.5) / side
    across, down = (at - _CENTRE[0]) / _RADII[0], (at - _CENTRE[1]) / _RADII[1]
    return (across.square()[None, :] + down.square()[:, None] < 1.0).float()[None, None]


def exposure_weight(light: float) -> float:
    """0 for a dark face, 1 for a well-lit one, linear between, from its `face_light`."""
    return min(max((light - WELL_LIT[0]) / (WELL_LIT[1] - WELL_LIT[0]), 0.0), 1.0)
