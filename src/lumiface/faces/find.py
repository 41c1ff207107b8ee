"""The faces of one photograph, dark or bright, large or small.

Faces found of 300 aligned faces of 128 pixels, darkened by `0.7 (0.95 I)^g` and rounded to 8 bits:

    g                           1    2    3    4    5
    the detector alone        299  299  298  294  286
    find_faces                300  300  300  300  299
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
from lumiface.faces.detect import FaceDetector
from lumiface.faces.exposure import normalize_exposure
from lumiface.faces.face import Face, drop_duplicates

Which = Literal["all", "largest", "none"]

_MAX_PIXELS = 2_000_000  # of the detector's input; larger photographs are downscaled
# Minimum mean score over 14 views (`FaceDetector.rescore_tta`), for faces and for faces below _SMALL pixels.
# Among the detections in 38 whole photographs, old and new, all 110 faces scored 0.80 or more, most false
# positives (hands, walls, cloths) less than 0.75; the two that scored more were smaller than all faces.
_MIN_SCORE, _MIN_SCORE_SMALL, _SMALL = 0.77, 0.92, 30.0


def find_faces(
    rgb: Tensor,
    detector: FaceDetector,
    *,
    which: Which = "all",
    min_face: float | None = None,
    boxes: Sequence[tuple[float, float, float, float]] | None = None,
) -> list[Face]:
    """The faces of a picture (1, 3, H, W), RGB in [0, 1], the largest first.

    The detector processes the picture and a copy with normalised exposure (`exposure.normalize_exposure`); if
    no face is found, or only small ones, also both at twice the size. Duplicates are dropped. Every face is
    rescored in 14 views; its score and landmarks are the means over the views.

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
        faces = _search(rgb, detector)
        min_side = detector.min_face / 2 if min_face is None else min_face
        faces = [face for face in faces if face.side >= min_side]
    faces.sort(key=lambda face: (-face.area, face.box))
    return faces[:1] if which == "largest" else faces


def _search(rgb: Tensor, detector: FaceDetector) -> list[Face]:
    max_scale = math.sqrt(_MAX_PIXELS / (rgb.shape[-2] * rgb.shape[-1]))
    faces = _detect_at_scale(rgb, detector, min(1.0, max_scale))
    small = not faces or min(face.side for face in faces) < 1.5 * detector.min_face
    if small and max_scale > 1.25:
        faces = drop_duplicates(faces + _detect_at_scale(rgb, detector, min(2.0, max_scale)))
    return faces


def _detect_at_scale(rgb: Tensor, detector: FaceDetector, scale: float) -> list[Face]:
    """One pass over the picture and its exposure-normalised copy, both at `scale`."""
    height, width = rgb.shape[-2:]
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size != (height, width):
        rgb = F.interpolate(rgb, size, mode="bilinear", antialias=True, align_corners=False)
    both = torch.cat([rgb, normalize_exposure(rgb)])
    found = [(index, face) for index, faces in enumerate(detector(both)) for face in faces]
    if not found:
        return []
    index = torch.tensor([index for index, _ in found], device=rgb.device)
    boxes = torch.tensor([face.box for _, face in found], device=rgb.device)
    scores, points = detector.rescore_tta(both, index, boxes)
    rows = zip(found, scores.tolist(), points.tolist(), strict=True)
    rescored = [Face(face.box, score, _pairs(landmarks)) for (_, face), score, landmarks in rows]
    faces = [face.scaled(width / size[1], height / size[0]) for face in rescored]
    accepted = [
        face for face in faces if face.score >= (_MIN_SCORE if face.side >= _SMALL else _MIN_SCORE_SMALL)
    ]
    return drop_duplicates(accepted)


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
