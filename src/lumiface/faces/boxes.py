"""The box of the largest face of each picture of a data set."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.faces.detectors.detect import FaceDetector


def largest_face_boxes(pictures: Tensor, detector: FaceDetector, batch: int = 64) -> tuple[Tensor, Tensor]:
    """Box of the largest face in each picture, computed on the detector's device.

    Args:
        pictures: (N, 3, H, W) uint8 RGB.
        batch: pictures per call of the detector.

    Returns:
        boxes (N, 4) float32, x1, y1, x2, y2 in pixel-edge coordinates, clipped to the picture, and found (N,)
        bool, both on the CPU. If no face is found the box is the whole picture.
    """
    if pictures.dtype != torch.uint8:
        raise TypeError(f"pictures must be uint8, got {pictures.dtype}")
    height, width = pictures.shape[-2:]
    limit = torch.tensor([width, height, width, height], dtype=torch.float32)
    boxes = torch.tensor([0, 0, width, height], dtype=torch.float32).repeat(len(pictures), 1)
    found = torch.zeros(len(pictures), dtype=torch.bool)
    device = next(detector.parameters()).device
    for start in range(0, len(pictures), batch):
        chunk = pictures[start : start + batch].to(device).float() / 255.0
        for i, faces in enumerate(detector(chunk), start):
            if faces:
                box = torch.tensor(max(faces, key=lambda face: face.area).box)
                boxes[i] = box.clamp(min=0.0).minimum(limit)
                found[i] = True
    return boxes, found
