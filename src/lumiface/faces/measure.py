"""What one face of a photograph is like before anything is done to it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.face import Face
from lumiface.faces.own import face_light
from lumiface.faces.sharpness import SIDE, detail_side


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """Size, light and detail of a face.

    Attributes:
        side: of the aligned square in pixels of the photograph.
        light: mean luma of the face's middle, 0 to 1.
        detail: side in pixels that would hold all the detail that the square has; at most `side`, and 256.
    """

    side: float
    light: float
    detail: float


def measure_face(rgb: Tensor, face: Face) -> FaceMeasures:
    """Measures of one face of a photograph (1, 3, H, W)."""
    crop = crop_face(rgb, face_matrix(face), SIDE)
    side = native_side(face)
    return FaceMeasures(side, face_light(crop), min(detail_side(crop.cpu()), max(side, 1.0)))
