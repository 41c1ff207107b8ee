"""Landmarks of a whole collection in one file; an interrupted run can be resumed."""

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
"""Number of images between two saves of the partial file."""


@dataclass(slots=True)
class Prepared:
    """`meshes` is the content of the file; `failed` has one line per image that could not be processed."""

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
    """Detect the landmarks of each image's main face and write them to `output`.

    Images that are already in the file, with or without a face, are skipped; unreadable ones are retried.
    Until all are done the landmarks are in `.NAME.partial` beside `output`, from which the next run resumes.

    Args:
        names: of the images, without duplicates.
        read: index of an image -> (H, W, 3) uint8, RGB, upright; may raise InputError.
        landmarker: detects the landmarks.
        output: the .npz to write or to extend.
        every: number of images between two saves of the partial file.
        progress: called with the number of images done and the total.

    Raises:
        InputError: two images have the same name, or an existing file of that name has other contents.
        OutputError: the file cannot be written.
    """
    output = Path(output)
    partial = output.with_name(f".{output.name}.partial")
    duplicates = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set[str]()
    )
    if duplicates:
        raise InputError(
            f"{min(duplicates)} occurs twice; landmarks are stored by name: make the names differ"
        )
    found = _read_existing(partial if partial.exists() else output)
    failed: list[str] = []
    remaining = [index for index, name in enumerate(names) if name not in found]
    unsaved = 0
    try:
        for done, index in enumerate(remaining, start=len(names) - len(remaining)):
            if progress is not None:
                progress(done, len(names))
            try:
                found[names[index]] = _detect(read(index), landmarker, names[index])
            except InputError as error:
                failed.append(str(error))
                continue
            unsaved += 1
            if unsaved == every:
                unsaved = 0
                _meshes(found).write(partial)
    finally:
        if unsaved:
            _meshes(found).write(partial)
    meshes = _meshes(found)
    meshes.write(output)
    try:
        partial.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{partial} cannot be removed ({error.strerror}); {output} is complete") from error
    return Prepared(meshes, failed)


def _detect(image: npt.NDArray[np.uint8], landmarker: Landmarker, name: str) -> FoundFace | None:
    if max(image.shape[:2]) > MAX_PIXELS:
        height, width = image.shape[:2]
        raise InputError(
            f"{name} is {width}x{height}, but coordinates beyond {MAX_PIXELS} pixels cannot be stored; "
            "make it smaller or crop its faces"
        )
    face = landmarker(image)
    if face is not None and not bool((face.points.abs() <= MAX_PIXELS).all()):
        return None  # NaN, or far outside of the image: not a face
    return face


def _read_existing(path: Path) -> dict[str, FoundFace | None]:
    """Results of an earlier run; None for images without a face."""
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
