"""Training faces: decoded once to bytes in memory, turned into batches on the training device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.data.sources import open_source
from lumiface.degradations.resample import resize
from lumiface.faces.boxes import largest_face_boxes
from lumiface.faces.detect import FaceDetector
from lumiface.imaging.io import decode_rgb8

CENTRE_BOX = (0.2, 0.2, 0.8, 0.8)
"""Where the face of an aligned picture is taken to be when the detector finds none; unit square."""


class FaceSet:
    """Square faces of one or more sizes, as uint8 on one device.

    Attributes:
        shelves: native side in pixels -> (N, 3, side, side) uint8.
        boxes: native side -> (N, 4) float32, x1, y1, x2, y2 of each face in the unit square.
    """

    def __init__(self, shelves: dict[int, Tensor], boxes: dict[int, Tensor]) -> None:
        self.shelves = dict(sorted(shelves.items()))
        self.boxes = boxes

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self.shelves.values())

    def count(self, least_side: int) -> int:
        """How many faces are at least `least_side` pixels large."""
        return sum(len(shelf) for side, shelf in self.shelves.items() if side >= least_side)

    def batch(self, indices: Sequence[int], side: int, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """Faces by their number among those of at least `side` pixels, reduced to `side`.

        Args:
            share: of each picture's side, around its middle, that is taken: less of what is around the face.
                No picture is enlarged for it.

        Returns:
            pictures (B, 3, side, side) float32 in [0, 1], and boxes (B, 4) in their pixels.
        """
        numbers, before = np.asarray(indices), 0
        pictures: list[Tensor] = []
        boxes: list[Tensor] = []
        places: list[np.ndarray] = []
        for native, shelf in self.shelves.items():
            if native < side:
                continue
            here = (numbers >= before) & (numbers < before + len(shelf))
            if here.any():  # a shelf at a time: a device likes few large pieces of work
                rows = torch.from_numpy(numbers[here] - before).to(shelf.device)
                rim = (native - max(side, round(native * share))) // 2
                inner = native - 2 * rim
                faces = shelf[rows][..., rim : rim + inner, rim : rim + inner].float() / 255.0
                pictures.append(faces if inner == side else resize(faces, (side, side)).clamp(0.0, 1.0))
                box = (self.boxes[native][rows] * native - rim) * (side / inner)
                boxes.append(box.clamp(0.0, side))
                places.append(np.flatnonzero(here))
            before += len(shelf)
        if numbers.min() < 0 or numbers.max() >= before:
            raise IndexError(f"only {before} faces are {side} pixels or larger")
        order = torch.from_numpy(np.argsort(np.concatenate(places))).to(pictures[0].device)
        return torch.cat(pictures)[order], torch.cat(boxes)[order]


def load_faces(
    sources: Sequence[str | Path], device: torch.device | str = "cpu", tell: Callable[[str], None] = print
) -> FaceSet:
    """Decode every picture of the sources (folders, tars) once, and know where each face is.

    Args:
        sources: folders or uncompressed tars of square, aligned faces; sizes may be mixed.
        device: where the bytes shall live.
        tell: receives what a person should know (counts, faces not found).

    Raises:
        InputError: a source is absent or empty, or a picture is not square.
    """
    piles: dict[int, list[np.ndarray]] = {}
    for source in sources:
        pictures = open_source(source)
        for index, name in enumerate(pictures.names):
            pixels = decode_rgb8(pictures.read(index), name)
            if pixels.shape[0] != pixels.shape[1]:
                raise InputError(f"{source}: {name} is not square; training takes aligned, square faces")
            piles.setdefault(pixels.shape[0], []).append(pixels)
    shelves: dict[int, Tensor] = {}
    for side in list(piles):
        pile = np.stack(piles.pop(side))  # popped, so that the set is in memory once and not twice
        shelves[side] = torch.from_numpy(pile.transpose(0, 3, 1, 2).copy())
    boxes: dict[int, Tensor] = {}
    for side, shelf in shelves.items():
        boxes[side], missed = _cached_boxes(shelf, device)
        tell(f"{len(shelf)} faces of {side} px; no face found in {missed} (their centre is taken)")
    return FaceSet(
        {side: shelf.to(device) for side, shelf in shelves.items()},
        {side: rows.to(device) for side, rows in boxes.items()},
    )


def _cached_boxes(shelf: Tensor, device: torch.device | str) -> tuple[Tensor, int]:
    """Boxes of a shelf in the unit square, and how many faces were not found; kept in the user's cache."""
    digest = hashlib.sha256(shelf.numpy().data).hexdigest()[:32]
    kept = user_cache_path("lumiface") / "boxes" / f"{digest}.npz"
    if kept.is_file():
        with np.load(kept) as arrays:
            return torch.from_numpy(arrays["boxes"]), int(arrays["missed"])
    pixels, found = largest_face_boxes(shelf, FaceDetector(min_face=shelf.shape[-1] * 0.3).to(device))
    boxes = torch.where(found[:, None], pixels / shelf.shape[-1], torch.tensor(CENTRE_BOX)).clamp(0.0, 1.0)
    missed = int((~found).sum())
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{digest[:8]}.part.npz")
    np.savez(partial, boxes=boxes.numpy(), missed=missed)
    partial.replace(kept)
    return boxes, missed
