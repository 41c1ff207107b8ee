"""Quarter turns: of pictures, without loss, and of the faces in them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lumiface.faces.align import face_matrix
from lumiface.faces.face import Face


def turn(picture: Tensor, quarters: int) -> Tensor:
    """(B, C, H, W) turned counterclockwise by quarter turns; the pixels stay what they are."""
    return torch.rot90(picture, quarters, (2, 3)).contiguous() if quarters % 4 else picture


def turn_face(face: Face, quarters: int, width: int, height: int) -> Face:
    """A face of a picture of this size, where it lies after `turn` of the picture."""
    x1, y1, x2, y2 = face.box
    points = [(x1, y1), (x2, y2), *face.landmarks]
    for _ in range(quarters % 4):
        points = [(y, width - x) for x, y in points]
        width, height = height, width
    (left, top), (right, bottom), *landmarks = points
    box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    return Face(box, face.score, tuple(landmarks))


def quarters_of(face: Face) -> int:
    """The counterclockwise quarter turns, 0 to 3, after which a face is nearest to upright."""
    left_eye, right_eye, _, left_mouth, right_mouth = face.landmarks
    across = left_mouth[0] + right_mouth[0] - left_eye[0] - right_eye[0]
    down = left_mouth[1] + right_mouth[1] - left_eye[1] - right_eye[1]
    return round(math.atan2(-across, down) / (math.pi / 2.0)) % 4


def is_in_order(face: Face) -> bool:
    """Whether the landmarks can be a face's: seen upright, the eyes above the nose, that above the mouth, and
    left is left."""
    matrix = face_matrix(face)
    points = torch.tensor(face.landmarks, dtype=torch.float64) @ matrix[:, :2].T + matrix[:, 2]
    left_eye, right_eye, nose, left_mouth, right_mouth = points.tolist()
    eyes, mouth = (left_eye[1] + right_eye[1]) / 2.0, (left_mouth[1] + right_mouth[1]) / 2.0
    return (
        nose[1] - eyes > 0.0
        and mouth - nose[1] > 0.0
        and right_eye[0] > left_eye[0]
        and right_mouth[0] > left_mouth[0]
    )
