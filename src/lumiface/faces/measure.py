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
from lumiface.imaging.light import brightness, smoothstep, strongest, whiteness

WELL_LIT = (0.26, 0.33)
"""Light of a face (`face_light`): dark below the first, well lit above the second. Measured: of 320 normally
lit faces of four groups 318 lie above 0.30, the other two, black faces, at 0.28; 95 % of each group above
0.34 (white 0.44, black 0.34, Asian 0.36, Indian 0.39); of 300 portraits 95 % above 0.42. Of 30 faces in dark
pictures 19 lie below 0.27, and 4 more, which look dark, below 0.30; those above are dark around the face, or
red."""

HIGHLIGHTS = (0.48, 0.56)
"""Bright parts of a face (`face_highlights`): without highlights below the first, in good light above the
second. Dark skin in good light shines on brow, nose and cheeks; in the dark nothing of a face is bright.
Measured (`benchmarks/dark_signs.py`) on the five of 320 normally lit faces that count as dark by their mean
light, below 0.317 (four of black people, one Asian): theirs are at 0.548 to 0.69. Of 148 faces in real or
simulated darkness whose light is 0.26 to 0.317, 11 have as much, and those of them that are real look lit. As
bright as the five by the whites of the eyes are 16, by the brightest hundredth of the photograph 80, by mean
light 92."""

HIGHLIGHT_LIGHT = 0.05
"""What highlights add to the light of a face when it is judged; those five need 0.04 at most."""

READABLE = 0.02
"""Light of a face (`face_light`, of the values as stored, not linear: 5 of 255 levels) below which nothing
is drawn, only light given: rounding to 8 bits has left a handful of levels. Measured on 16 to 24 faces of
faces256-val, darkened to 0.006 to 0.02, as the EdgeFace cosine with the original, for `lumiface-x4-real` and
plain gain: without noise 0.27 to 0.38 and 0.37 to 0.56 at 32 pixels, 0.55 to 0.75 and 0.64 to 0.89 at 64, so
that what the network draws is further from the person; with noise (4 settings) the network is nearer, at 32
pixels 0.04 to 0.34 and 0.03 to 0.32, at 64 pixels 0.08 to 0.63 and 0.04 to 0.61. Two different people have
0.03 with a deviation of 0.1. The threshold is a choice: better no features than those of another person."""

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
        highlights: luma of the brightest twentieth of the face at least, 0 to 1.
    """

    side: float
    light: float
    detail: float
    noise: float = 0.0
    blocks: float = 0.0
    highlights: float = 0.0


def measure_face(rgb: Tensor, face: Face) -> FaceMeasures:
    """Measures of one face of a photograph (1, 3, H, W)."""
    crop = crop_face(rgb, face_matrix(face), CROP_SIZE)
    side = native_side(face)
    detail = min(effective_resolution(crop.cpu()), max(side, 1.0))
    noise = noise_deviation(_around(rgb, face, 1.0).cpu())
    # The grid is the photograph's, so the surroundings help to see it.
    blocks = block_strength(_around(rgb, face, 2.0).cpu())
    return FaceMeasures(side, face_light(crop), detail, noise, blocks, face_highlights(crop))


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
    or long hair does not make it dark. Under a lamp of one colour its channel counts in full: such light is
    meant, and no network gives it back the white.
    """
    return float(_mean_of_face(strongest(crop)).lerp(_mean_of_face(brightness(crop)), _whiteness(crop)))


def face_highlights(crop: Tensor) -> float:
    """The 95 % quantile of the luma of an aligned face (1, 3, S, S), without what is around it, 0 to 1."""
    skin = luma(crop)[inner_face(crop.shape[-1], crop.device) > 0]
    return float(skin.quantile(0.95))


def face_whiteness(crop: Tensor) -> float:
    """0 if an aligned face (1, 3, S, S) stands under a lamp of one colour, 1 in white light."""
    return float(_whiteness(crop))


def _whiteness(crop: Tensor) -> Tensor:
    return whiteness(_mean_of_face(luma(crop)) / _mean_of_face(brightness(crop)).clamp(min=1e-6))


def _mean_of_face(plane: Tensor) -> Tensor:
    inside = inner_face(plane.shape[-1], plane.device)
    return (plane * inside).sum() / inside.sum()


def is_readable(face: FaceMeasures) -> bool:
    """Whether a face has enough light for a network to draw it; if not, it is only given light."""
    return face.light >= READABLE


def inner_face(side: int, device: torch.device) -> Tensor:
    """(1, 1, side, side): 1 over the skin of an aligned face, from brows to chin, 0 elsewhere."""
    at = (torch.arange(side, device=device) + 0.5) / side
    across, down = (at - _CENTRE[0]) / _RADII[0], (at - _CENTRE[1]) / _RADII[1]
    return (across.square()[None, :] + down.square()[:, None] < 1.0).float()[None, None]


def exposure_weight(light: float, highlights: float = 0.0) -> float:
    """0 for a dark face, 1 for a well-lit one, a smooth step between.

    Args:
        light: its `face_light`.
        highlights: its `face_highlights`; bright ones tell dark skin in good light from a face in the dark.
    """
    low, high = HIGHLIGHTS
    lit = smoothstep(torch.tensor((highlights - low) / (high - low), dtype=torch.float64))
    place = (light + HIGHLIGHT_LIGHT * float(lit) - WELL_LIT[0]) / (WELL_LIT[1] - WELL_LIT[0])
    return float(smoothstep(torch.tensor(place, dtype=torch.float64)))
