"""The faces of one photograph, dark or bright, large or small.

Faces found of 300 aligned faces of 128 pixels, darkened by `0.7 (0.95 I)^g` and rounded to 8 bits:

    g                           1    2    3    4    5
    MTCNN alone               299  299  298  294  286
    find_faces with it        300  300  300  300  299
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.align import TEMPLATE, TEMPLATE_BOX
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.exposure import has_dark_parts, normalize_exposure
from lumiface.faces.face import Face, drop_duplicates, is_same

Which = Literal["all", "largest", "none"]

_MAX_PIXELS = 2_000_000  # of the detector's input; larger photographs are downscaled
_FEW_PIXELS = (
    160_000  # of a picture that is searched at twice the size even if nothing is found: it costs little
)
# Minimum mean score over 14 views (`FaceDetector.rescore_tta`), for faces and for faces below _SMALL pixels.
# Among the detections in 38 whole photographs, old and new, all 110 faces scored 0.80 or more, most false
# positives (hands, walls, cloths) less than 0.75; the two that scored more were smaller than all faces.
_MIN_SCORE, _MIN_SCORE_SMALL, _SMALL = 0.77, 0.92, 30.0
_SURE = 0.95  # faces of this score are not rescored in the even light


def find_faces(
    rgb: Tensor,
    detector: FaceDetector,
    *,
    which: Which = "all",
    min_face: float | None = None,
    boxes: Sequence[tuple[float, float, float, float]] | None = None,
) -> list[Face]:
    """The faces of a picture (1, 3, H, W), RGB in [0, 1], the largest first.

    The detector processes the picture, and if no face is found or a part of it is dark, also a copy with
    normalised exposure (`exposure.normalize_exposure`). If small faces are found, both are searched at twice
    the size, too; also if none is found, and the picture is small or smaller faces are asked for than the
    detector finds. Duplicates are dropped. Every face is rescored in 14 views; its score and landmarks are
    the means over the views.

    Args:
        which: all faces, the largest only, or none (no detection at all).
        min_face: faces whose box is smaller than this (root of its area, pixels) are dropped; default: half
            of the detector's `min_face`, the smallest size found at twice the size. Pictures of more than 2
            megapixels are downscaled for the detector, which raises the smallest size found accordingly.
        boxes: x, y, width, height in pixels of manually specified faces; then only these are returned. A box
            in which no face is recognised gets score 1 and the landmarks of a mean face.

    Raises:
        SettingError: a box is empty or outside the picture, or boxes are given with `which="none"`.
    """
    if rgb.dim() != 4 or rgb.shape[:2] != (1, 3):
        raise ValueError(f"rgb must be (1, 3, H, W), got {tuple(rgb.shape)}")
    if boxes is not None:
        if which == "none":
            raise SettingError("boxes and faces=none contradict each other; leave one of them out")
        faces = [_face_in_box(rgb, detector, box) for box in boxes]
    elif which == "none" or rgb.numel() == 0:
        return []
    else:
        min_side = detector.min_face / 2 if min_face is None else min_face
        faces = _search(rgb, detector, min_side)
        faces = [face for face in faces if face.side >= min_side]
    faces.sort(key=lambda face: (-face.area, face.box))
    return faces[:1] if which == "largest" else faces


def _search(rgb: Tensor, detector: FaceDetector, min_side: float) -> list[Face]:
    pixels = rgb.shape[-2] * rgb.shape[-1]
    max_scale = math.sqrt(_MAX_PIXELS / pixels)
    faces = _detect_at_scale(rgb, detector, min(1.0, max_scale))
    if faces:
        closer = min(face.side for face in faces) < 1.5 * detector.min_face
    else:
        closer = min_side < detector.min_face or pixels <= _FEW_PIXELS
    if closer and max_scale > 1.25:
        faces = drop_duplicates(faces + _detect_at_scale(rgb, detector, min(2.0, max_scale), both=True))
    return faces


def _detect_at_scale(rgb: Tensor, detector: FaceDetector, scale: float, *, both: bool = False) -> list[Face]:
    """A look at the picture and, on demand or where it shows too little, at its exposure-normalised copy."""
    height, width = rgb.shape[-2:]
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size != (height, width):
        rgb = F.interpolate(rgb, size, mode="bilinear", antialias=True, align_corners=False)
    faces = _look(rgb, detector)
    if both or not faces or has_dark_parts(rgb):
        sure = [face for face in faces if face.score >= _SURE]
        faces = drop_duplicates(faces + _look(normalize_exposure(rgb), detector, known=sure))
    faces = [face.scaled(width / size[1], height / size[0]) for face in faces]
    return [face for face in faces if face.score >= (_MIN_SCORE if face.side >= _SMALL else _MIN_SCORE_SMALL)]


def _look(rgb: Tensor, detector: FaceDetector, known: Sequence[Face] = ()) -> list[Face]:
    """The faces that one search finds besides those known, rescored."""
    found = [face for face in detector(rgb)[0] if not any(is_same(face, other) for other in known)]
    if not found:
        return []
    boxes = torch.tensor([face.box for face in found], device=rgb.device)
    index = torch.zeros(len(found), dtype=torch.long, device=rgb.device)
    scores, points = detector.rescore_tta(rgb, index, boxes)
    rows = zip(found, scores.tolist(), points.tolist(), strict=True)
    faces = [Face(face.box, score, _pairs(landmarks)) for face, score, landmarks in rows]
    return drop_duplicates([face for face in faces if face.score >= _MIN_SCORE])


def _face_in_box(rgb: Tensor, detector: FaceDetector, xywh: tuple[float, float, float, float]) -> Face:
    """The face in a manually specified box."""
    try:
        x, y, wide, high = map(float, xywh)
    except (TypeError, ValueError):
        x = y = wide = high = math.nan
    if not all(map(math.isfinite, (x, y, wide, high))):
        raise SettingError(f"box {xywh}: need four numbers of pixels (x,y,w,h)")
    height, width = rgb.shape[-2:]
    if not (wide > 0 and high > 0):
        raise SettingError(f"box {x:g},{y:g},{wide:g},{high:g}: width and height must be above 0 (x,y,w,h)")
    if x >= width or y >= height or x + wide <= 0 or y + high <= 0:
        raise SettingError(f"box {x:g},{y:g},{wide:g},{high:g} is outside the picture of {width}x{height}")
    box = (x, y, x + wide, y + high)
    # Only the box and its surroundings are needed; the exposure is then normalised for the face, too.
    margin = max(wide, high)
    left, top = max(0, math.floor(x - margin)), max(0, math.floor(y - margin))
    right, bottom = math.ceil(x + wide + margin), math.ceil(y + high + margin)
    part = rgb[..., top:bottom, left:right]
    both = torch.cat([part, normalize_exposure(part)])
    moved = torch.tensor([[x - left, y - top, x - left + wide, y - top + high]] * 2, device=rgb.device)
    scores, points = detector.rescore_tta(both, torch.arange(2, device=rgb.device), moved)
    best = int(scores.argmax())
    if float(scores[best]) >= _MIN_SCORE:
        landmarks = [[px + left, py + top] for px, py in points[best].tolist()]
        return Face(box, float(scores[best]), _pairs(landmarks))
    x1, y1, x2, y2 = TEMPLATE_BOX
    mean = [[x + wide * (u - x1) / (x2 - x1), y + high * (v - y1) / (y2 - y1)] for u, v in TEMPLATE]
    return Face(box, 1.0, _pairs(mean))


def _pairs(points: list[list[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in points)
