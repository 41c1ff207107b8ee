"""Face points of a whole collection into one file: what was done is kept, whatever stops the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lumiface.core.errors import InputError, OutputError
from lumiface.geometry.landmarker import FoundFace, Landmarker
from lumiface.geometry.mesh import MAX_PIXELS, VERTICES, FaceMeshes

EVERY = 500
"""Pictures after which the file is written again."""


@dataclass(slots=True)
class Prepared:
    """`meshes` is what the file holds now; `failed` are lines, one a picture that could not be measured."""

    meshes: FaceMeshes
    failed: list[str] = field(default_factory=list[str])


def prepare_meshes(
    names: Sequence[str],
    read: Callable[[int], npt.NDArray[np.uint8]],
    landmarker: Landmarker,
    output: str | Path,
    *,
    every: int = EVERY,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Find the points of each picture's main face and write them to `output`.

    A picture whose name is in the file already is not measured again, with a face or without one; what could
    not be read is tried again. Until all are done the points lie beside `output`, in `.NAME.partial`, where
    the next run goes on.

    Args:
        names: of the pictures; each once.
        read: number of a picture -> (H, W, 3) uint8, RGB, upright; may raise InputError.
        landmarker: finds the points.
        output: the .npz to write or to add to.
        every: pictures after which the partial file is written again.
        progress: called with what is done and what there is in all.

    Raises:
        InputError: two pictures have the same name, or an earlier file of that name holds something else.
        OutputError: the file cannot be written.
    """
    output = Path(output)
    draft = output.with_name(f".{output.name}.partial")
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set[str]()
    if twice:
        raise InputError(f"{min(twice)} occurs twice; points are kept by name: make the names differ")
    found = _known(draft if draft.exists() else output)
    failed: list[str] = []
    todo = [number for number, name in enumerate(names) if name not in found]
    unsaved = 0
    try:
        for done, number in enumerate(todo, start=len(names) - len(todo)):
            if progress is not None:
                progress(done, len(names))
            try:
                found[names[number]] = _measure(read(number), landmarker, names[number])
            except InputError as fault:
                failed.append(str(fault))
                continue
            unsaved += 1
            if unsaved == every:
                unsaved = 0
                _meshes(found).write(draft)
    finally:
        if unsaved:
            _meshes(found).write(draft)
    meshes = _meshes(found)
    meshes.write(output)
    try:
        draft.unlink(missing_ok=True)
    except OSError as fault:
        raise OutputError(f"{draft} cannot be removed ({fault.strerror}); {output} is complete") from fault
    return Prepared(meshes, failed)


def _measure(picture: npt.NDArray[np.uint8], landmarker: Landmarker, name: str) -> FoundFace | None:
    if max(picture.shape[:2]) > MAX_PIXELS:
        height, width = picture.shape[:2]
        raise InputError(
            f"{name} is {width}x{height}, but points beyond {MAX_PIXELS} pixels cannot be kept; "
            "make it smaller or cut out its faces"
        )
    face = landmarker(picture)
    if face is not None and not bool((face.points.abs() <= MAX_PIXELS).all()):
        return None  # not a number, or far outside of the picture: no face is there
    return face


def _known(path: Path) -> dict[str, FoundFace | None]:
    """What an earlier run has found and where it has found nothing."""
    if not path.exists():
        return {}
    meshes = FaceMeshes.read(path)
    found: dict[str, FoundFace | None] = dict.fromkeys(meshes.missed)
    return found | {name: FoundFace(points, meshes.presence(name)) for name, points in meshes.items()}


def _meshes(found: Mapping[str, FoundFace | None]) -> FaceMeshes:
    points = torch.zeros(len(found), VERTICES, 3)
    presence = torch.zeros(len(found))
    for row, face in enumerate(found.values()):
        if face is not None:
            points[row], presence[row] = face
    return FaceMeshes(list(found), points, presence)
