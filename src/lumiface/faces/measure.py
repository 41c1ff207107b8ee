"""Measures of one face of a photograph before restoration: size, light, detail."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.effective_resolution import CROP_SIZE, effective_resolution
from lumiface.faces.face import Face
from lumiface.imaging.color import luma

WELL_LIT = (0.26, 0.38)
"""Mean luma of a face's centre: dark below the first, well lit above the second. Measured: in each of four
groups of normally lit faces 95 % lie above 0.29; of really dark faces 95 % below 0.27."""


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """Size, light and detail of a face.

    Attributes:
        side: of the aligned square in pixels of the photograph.
        light: mean luma of the face's centre, 0 to 1.
        detail: effective resolution: the side in pixels that suffices for all detail of the square; at most
            `side`, and 256.
    """

    side: float
    light: float
    detail: float


def measure_face(rgb: Tensor, face: Face) -> FaceMeasures:
    """Measures of one face of a photograph (1, 3, H, W)."""
    crop = crop_face(rgb, face_matrix(face), CROP_SIZE)
    side = native_side(face)
    return FaceMeasures(side, face_light(crop), min(effective_resolution(crop.cpu()), max(side, 1.0)))


def face_light(crop: Tensor) -> float:
    """Mean luma of the centre of an aligned face (1, 3, S, S), 0 to 1."""
    side = crop.shape[-1]
    middle = crop[..., int(0.2 * side) : int(0.9 * side), int(0.2 * side) : int(0.8 * side)]
    return float(luma(middle).mean())


def exposure_weight(light: float) -> float:
    """0 for a dark face, 1 for a well-lit one, linear between, from its `face_light`."""
    return min(max((light - WELL_LIT[0]) / (WELL_LIT[1] - WELL_LIT[0]), 0.0), 1.0)
