"""Training faces on the GPU machine: packs decoded once into memory-mapped arrays that all runs share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gpu.entries import FaceGroup
from gpu.machine import read_json
from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes
from lumiface.core.parallel import ordered_map
from lumiface.data.sources import open_source
from lumiface.data.training.face_set import FaceSet
from lumiface.data.training.face_tensor import resize_faces
from lumiface.imaging.io import decode_rgb8
from lumiface.training.context import TaskContext

INDEX = "index.json"
"""Written last: the arrays are complete."""


def decode_groups(
    pack: Path, groups: Sequence[FaceGroup], target: Path, limit: int | None, log: Callable[[str], None]
) -> None:
    """Decode the packs of faces with all cores; does nothing if that was done before.

    Writes `GROUP-SIZE.npy`, (N, 3, SIZE, SIZE) uint8, and `GROUP-SIZE.boxes.npy`, (N, 4) float32 in the unit
    square, each in the order of the pack.

    Args:
        pack: folder with `GROUP.pack` and, for faces that were detected, `GROUP.boxes.npy`, (N, 4).
        target: folder of the arrays, best in memory (/dev/shm).
        limit: the most faces of each group, evenly spread; None: all.

    Raises:
        InputError: a pack is damaged.
    """
    wanted = {"groups": [group.model_dump(mode="json") for group in groups], "limit": limit}
    if read_json(target / INDEX).get("wanted") == wanted:
        return
    (target / INDEX).unlink(missing_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    index: dict[str, dict[str, int]] = {}
    for group in groups:
        started = time.monotonic()
        source = open_source(pack / f"{group.name}.pack")
        count = min(len(source), limit or len(source))
        chosen = sorted({round(number) for number in np.linspace(0, len(source) - 1, count)})

        def decode(number: int, source: Sequence[bytes] = source) -> npt.NDArray[np.uint8]:
            return np.ascontiguousarray(decode_rgb8(source[number], str(number)).transpose(2, 0, 1))

        by_size: dict[int, list[int]] = {}
        pixels: dict[int, list[npt.NDArray[np.uint8]]] = {}
        for number, face in zip(chosen, ordered_map(decode, chosen), strict=True):
            by_size.setdefault(face.shape[-1], []).append(number)
            pixels.setdefault(face.shape[-1], []).append(face)
        boxes = np.load(pack / f"{group.name}.boxes.npy") if group.boxes else None
        for size, numbers in by_size.items():
            np.save(target / f"{group.name}-{size}.npy", np.stack(pixels.pop(size)))
            if boxes is not None:
                np.save(target / f"{group.name}-{size}.boxes.npy", boxes[numbers].astype(np.float32))
        index[group.name] = {str(size): len(numbers) for size, numbers in by_size.items()}
        seconds = time.monotonic() - started
        log(f"{group.name}: {len(chosen)} faces decoded in {seconds:.1f} s, {index[group.name]}")
    write_bytes(target / INDEX, json.dumps({"wanted": wanted, "index": index}).encode())


class PreparedFaces:
    """The arrays in a folder that `decode_groups` has filled.

    Raises:
        InputError: it is not complete.
    """

    def __init__(self, folder: Path) -> None:
        self.index: dict[str, dict[str, int]] = read_json(folder / INDEX).get("index", {})
        if not self.index:
            raise InputError(f"{folder} holds no decoded faces")
        self.folder = folder

    def face_set(self, groups: Sequence[str], device: torch.device) -> FaceSet:
        """The faces of some groups with their boxes, on a device."""
        images: dict[int, list[Tensor]] = {}
        boxes: dict[int, list[Tensor]] = {}
        for group in groups:
            for size in map(int, self.index[group]):
                images.setdefault(size, []).append(self._load(f"{group}-{size}.npy"))
                boxes.setdefault(size, []).append(self._load(f"{group}-{size}.boxes.npy"))
        return FaceSet(
            {size: torch.cat(parts).to(device) for size, parts in images.items()},
            {size: torch.cat(parts).to(device) for size, parts in boxes.items()},
        )

    def tensor(self, groups: Sequence[str], side: int | None, limit: int | None) -> Tensor:
        """The faces of some groups, (N, 3, H, H) uint8 on the CPU; see `TaskContext.face_tensor`.

        Raises:
            InputError: they have several sizes and `side` is None, or they are smaller than `side`.
        """
        sizes = sorted({int(size) for group in groups for size in self.index[group]}, reverse=True)
        if (side is None and len(sizes) > 1) or (side is not None and min(sizes) < side):
            raise InputError(
                f"{', '.join(groups)}: faces of {sizes} pixels; the run needs {side or 'one size'}"
            )
        parts: list[Tensor] = []
        for group in groups:
            for size in self.index[group]:
                faces = self._load(f"{group}-{size}.npy")[:limit]
                parts.append(faces if side is None else resize_faces(faces, side))
        return torch.cat(parts)[:limit]

    def _load(self, name: str) -> Tensor:
        # "c": pages are shared with the other runs; torch wants to be allowed to write.
        return torch.from_numpy(np.load(self.folder / name, mmap_mode="c"))


@dataclass(frozen=True, slots=True)
class PreparedContext(TaskContext):
    """A context whose packs were decoded before; other sources are read as usual."""

    prepared: PreparedFaces | None = None

    def face_tensor(
        self, sources: Sequence[str], *, limit: int | None = None, side: int | None = None
    ) -> Tensor:
        groups = [Path(source).stem for source in sources]
        if self.prepared is not None and all(group in self.prepared.index for group in groups):
            return self.prepared.tensor(groups, side, limit)
        # Named, because super() without arguments fails in a dataclass with slots.
        return TaskContext.face_tensor(self, sources, limit=limit, side=side)
