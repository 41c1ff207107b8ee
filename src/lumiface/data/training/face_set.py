"""Training faces of one or more sizes: decoded once to bytes in memory, batches on the training device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lumiface.core.device import to_device
from lumiface.data.faults import Faults
from lumiface.data.training.cache import cached_tensors
from lumiface.data.training.face_tensor import read_square_faces
from lumiface.degradations.resample import resize
from lumiface.faces.boxes import largest_face_boxes
from lumiface.faces.detectors.detect import FaceDetector

CENTRE_BOX = (0.2, 0.2, 0.8, 0.8)
"""Box of the face of an aligned picture, in the unit square, if the detector finds none."""


class FaceSet:
    """Square faces of one or more sizes, as uint8 on one device.

    Attributes:
        images_by_size: size in pixels -> (N, 3, size, size) uint8.
        boxes: size in pixels -> (N, 4) float32, x1, y1, x2, y2 of each face in the unit square.
    """

    def __init__(self, images_by_size: dict[int, Tensor], boxes: dict[int, Tensor]) -> None:
        self.images_by_size = dict(sorted(images_by_size.items()))
        self.boxes = boxes

    def __len__(self) -> int:
        return sum(len(images) for images in self.images_by_size.values())

    def count(self, min_size: int) -> int:
        """The number of faces of at least `min_size` pixels."""
        return sum(len(images) for size, images in self.images_by_size.items() if size >= min_size)

    def batch(self, indices: Sequence[int], size: int, crop: float = 1.0) -> tuple[Tensor, Tensor]:
        """Faces by their index among those of at least `size` pixels, reduced to `size`.

        Args:
            crop: side of the centre crop that is taken of each picture, as a fraction of the picture's. The
                crop is never smaller than `size`, so that nothing is enlarged.

        Returns:
            pictures (B, 3, size, size) float32 in [0, 1], and boxes (B, 4) in their pixels.
        """
        chosen, first = np.asarray(indices), 0
        pictures: list[Tensor] = []
        boxes: list[Tensor] = []
        positions: list[np.ndarray] = []
        for native, images in self.images_by_size.items():
            if native < size:
                continue
            selected = (chosen >= first) & (chosen < first + len(images))
            if selected.any():  # one gather per size: a device prefers few large operations
                rows = to_device(torch.from_numpy(chosen[selected] - first), images.device)
                margin = (native - max(size, round(native * crop))) // 2
                inner = native - 2 * margin
                faces = images[rows][..., margin : margin + inner, margin : margin + inner].float() / 255.0
                pictures.append(faces if inner == size else resize(faces, (size, size)).clamp(0.0, 1.0))
                box = (self.boxes[native][rows] * native - margin) * (size / inner)
                boxes.append(box.clamp(0.0, size))
                positions.append(np.flatnonzero(selected))
            first += len(images)
        if chosen.min() < 0 or chosen.max() >= first:
            raise IndexError(f"only {first} faces are {size} pixels or larger")
        order = to_device(torch.from_numpy(np.argsort(np.concatenate(positions))), pictures[0].device)
        return torch.cat(pictures)[order], torch.cat(boxes)[order]


def load_faces(
    sources: Sequence[str | Path],
    device: torch.device | str = "cpu",
    log: Callable[[str], None] = print,
    skip_bad: bool | None = None,
) -> FaceSet:
    """Decode every picture of the sources (folders, tars, packs) once, and detect the face in each.

    Args:
        sources: folders, uncompressed tars or packs of square, aligned faces; sizes may be mixed.
        device: of the set.
        log: receives one line of text per size (number of faces, faces not found).
        skip_bad: see `Faults`.

    Raises:
        InputError: a source is absent or empty, or pictures cannot be read or are not square.
    """
    faults = Faults(skip_bad, log)
    by_size: dict[int, list[Tensor]] = {}
    for _, pixels in read_square_faces(sources, same_size=False, faults=faults):
        by_size.setdefault(pixels.shape[-1], []).append(pixels)
    faults.settle()
    images_by_size: dict[int, Tensor] = {}
    for size in list(by_size):  # popped, so that the set is in memory once and not twice
        images_by_size[size] = torch.stack(by_size.pop(size)).contiguous()
    boxes: dict[int, Tensor] = {}
    for size, images in images_by_size.items():
        boxes[size], missed = _cached_boxes(images, device)
        log(f"{len(images)} faces of {size} px; no face found in {missed} (their centre is used)")
    return FaceSet(
        {size: images.to(device) for size, images in images_by_size.items()},
        {size: rows.to(device) for size, rows in boxes.items()},
    )


def _cached_boxes(images: Tensor, device: torch.device | str) -> tuple[Tensor, int]:
    """Boxes of faces (N, 3, H, H) in the unit square, and the number of faces not found; cached."""

    def detect() -> dict[str, Tensor]:
        detector = FaceDetector(min_face=max(12.0, images.shape[-1] * 0.3)).to(device)
        pixels, found = largest_face_boxes(images, detector)
        boxes = torch.where(found[:, None], pixels / images.shape[-1], torch.tensor(CENTRE_BOX))
        return {"boxes": boxes.clamp(0.0, 1.0), "missed": (~found).sum()}

    digest = hashlib.sha256(images.numpy().data).hexdigest()[:32]
    tensors = cached_tensors("boxes", digest, detect)
    return tensors["boxes"], int(tensors["missed"])
