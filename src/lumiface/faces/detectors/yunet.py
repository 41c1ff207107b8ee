"""Face detection by YuNet, one small network over the whole picture, run by OpenCV.

Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. It finds
more faces in the dark than MTCNN's first two networks, in a fraction of their time. Its points scatter more,
though: by them the corners of the crops of faces256-val lie 3.5 % of the side from those of FFHQ's alignment,
by MTCNN's 2.1 %. So O-Net still scores every face and sets its box and landmarks, and crops agree.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.face import Face, drop_duplicates

_MIN_SCORE = 0.6
_OVERLAP = 0.3
_CERTAIN = 0.95  # O-Net's score; faces that are turned get less, and it would move their box at random
_MOST = 5000  # candidates before suppression
# Longer sides of reduced copies that are searched, too, of pictures at least a quarter larger: of a face that
# fills half of the picture the box is wrong or missing from 200 pixels on.
_REDUCED = (320, 160)
# Means over the 100 faces of faces256-val at 128 pixels, made symmetric: MTCNN's box less YuNet's and MTCNN's
# points less YuNet's, in sides of YuNet's box. So a box means the same to O-Net whichever found it.
_BOX = ((-0.0070, 0.0097), (-0.0309, -0.0093))
_POINTS = ((0.0018, -0.0113), (-0.0018, -0.0113), (0.0, -0.0068), (-0.0084, 0.0085), (0.0084, 0.0085))


class YuNetDetector(FaceDetector):
    """`FaceDetector` whose candidates are YuNet's, in O-Net's box where O-Net is certain of a face.

    Their scores and points are YuNet's, until O-Net rescores them as it does MTCNN's (`rescore_tta`).

    Args:
        path: YuNet's ONNX file with dynamic size.
        min_face: smallest face side detected, pixels.

    Raises:
        SettingError: OpenCV cannot run the file.
    """

    def __init__(self, path: Path, *, min_face: float = 20.0) -> None:
        super().__init__(min_face=min_face)
        self.path = path
        _network(path)

    @torch.inference_mode()
    def forward(self, pictures: Tensor) -> list[list[Face]]:
        if pictures.dim() != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures must be (B, 3, H, W), got {tuple(pictures.shape)}")
        if pictures.numel() == 0:
            return [[] for _ in range(pictures.shape[0])]
        return [self._placed(picture[None], self._search(picture[None])) for picture in pictures]

    def _placed(self, rgb: Tensor, faces: list[Face]) -> list[Face]:
        """The faces, in O-Net's box where it is certain of one."""
        if not faces:
            return []
        boxes = torch.tensor([face.box for face in faces], device=rgb.device)
        scores, moved = self.place(rgb, boxes)
        rows = zip(faces, scores.tolist(), moved.tolist(), strict=True)
        placed = [
            replace(face, box=(x1, y1, x2, y2)) if score >= _CERTAIN else face
            for face, score, (x1, y1, x2, y2) in rows
        ]
        return drop_duplicates([face for face in placed if face.side >= self.min_face])

    def _search(self, rgb: Tensor) -> list[Face]:
        faces = self._at_scale(rgb)
        longer = max(rgb.shape[-2:])
        for reduced in _REDUCED:
            if longer < 1.25 * reduced:
                continue
            height, width = (max(1, round(side * reduced / longer)) for side in rgb.shape[-2:])
            small = F.interpolate(rgb, (height, width), mode="bilinear", antialias=True)
            scale = (rgb.shape[-1] / width, rgb.shape[-2] / height)
            faces += [face.scaled(*scale) for face in self._at_scale(small)]
        return drop_duplicates([face for face in faces if face.side >= 0.9 * self.min_face])

    def _at_scale(self, rgb: Tensor) -> list[Face]:
        bgr = rgb[0].flip(0).permute(1, 2, 0).mul(255.0).round().clamp(0.0, 255.0).byte().cpu().numpy()
        network = _network(self.path)
        network.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = network.detect(np.ascontiguousarray(bgr))
        return [] if rows is None else [_face(row) for row in rows.tolist()]


def _face(row: list[float]) -> Face:
    """YuNet's row: x, y, width, height, five x and y (the eye at the left of the picture first), score."""
    x, y, wide, high = row[:4]
    (left, right), (top, bottom) = _BOX
    box = (x + left * wide, y + top * high, x + wide + right * wide, y + high + bottom * high)
    corrected = zip(row[4:14:2], row[5:14:2], _POINTS, strict=True)
    points = tuple((px + dx * wide, py + dy * high) for px, py, (dx, dy) in corrected)
    return Face(box, row[14], points)


class _Networks(threading.local):
    """A thread's own, by file: a network holds the size of its input, and its picture while it runs."""

    def __init__(self) -> None:
        self.by_path: dict[Path, Any] = {}


_networks = _Networks()
_creating = threading.Lock()  # the level of OpenCV's log is one for all threads


def _network(path: Path) -> Any:
    if path not in _networks.by_path:
        with _creating:
            _networks.by_path[path] = _create(path)
    return _networks.by_path[path]


def _create(path: Path) -> Any:
    import cv2

    log: Any = cv2.utils.logging
    level = log.setLogLevel(log.LOG_LEVEL_ERROR)  # newer versions remark on their own choice of a backend
    try:
        network: Any = cv2.FaceDetectorYN.create(str(path), "", (64, 64), _MIN_SCORE, _OVERLAP, _MOST)
        network.detect(np.zeros((64, 64, 3), np.uint8))
    except (cv2.error, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SettingError(f"OpenCV {cv2.__version__} cannot run {path.name}: {reason}") from error
    finally:
        log.setLogLevel(level)
    return network
