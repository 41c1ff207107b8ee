"""Faces as meshes: the generic face that everybody shares, and the points found in each photograph.

Both have the topology of MediaPipe's face mesh (Kartynnik et al. 2019, "Real-time Facial Surface Geometry
from Monocular Video on Mobile GPUs"): 468 vertices, 898 triangles, one sheet without holes, whose rim is the
oval of the face. Ears, hair and neck are no part of it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lumiface.core.assets import find_asset
from lumiface.core.errors import InputError
from lumiface.core.files import read_bytes, write_bytes

VERTICES = 468
"""Points of a face, in MediaPipe's order."""

CENTIMETRES_PER_UNIT = 43.0
"""Size of the world: a face is 0.36 wide, a head fits into [-0.5, 0.5]³, and the camera that fits a portrait
aligned as FFHQ's stands EG3D's 2.7 units away."""

STEPS_PER_PIXEL = 16
"""Points are kept on disk as whole sixteenths of a pixel."""

MAX_PIXELS = 32767 // STEPS_PER_PIXEL
"""The largest coordinate that a file of points can hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A surface of triangles: `vertices` (V, 3) float32 and `triangles` (F, 3) int64, indices of vertices."""

    vertices: Tensor
    triangles: Tensor

    def scaled(self, factor: float) -> Mesh:
        """The same surface with all coordinates times `factor`."""
        return Mesh(self.vertices * factor, self.triangles)

    def to(self, device: torch.device | str) -> Mesh:
        """The same surface on another device."""
        return Mesh(self.vertices.to(device), self.triangles.to(device))


def read_obj(path: str | Path) -> Mesh:
    """Vertices and triangles of a Wavefront .obj; polygons are cut into fans, all else is passed over.

    Raises:
        InputError: it is no such file, or a face names a vertex that it does not have.
    """
    path = Path(path)
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    try:
        for line in read_bytes(path).decode().splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words[:3]])
            elif kind == "f":
                corners = [int(word.partition("/")[0]) for word in words]
                # Numbers count from 1; negative ones back from the last vertex so far.
                corners = [corner - 1 if corner > 0 else len(vertices) + corner for corner in corners]
                faces += [[corners[0], *corners[k : k + 2]] for k in range(1, len(corners) - 1)]
        points = torch.tensor(vertices, dtype=torch.float32).reshape(-1, 3)
        triangles = torch.tensor(faces, dtype=torch.long).reshape(-1, 3)
    except (UnicodeDecodeError, ValueError, RuntimeError) as fault:
        raise InputError(f"{path} is no readable .obj ({fault}); get the file again") from fault
    if len(triangles) == 0 or int(triangles.min()) < 0 or int(triangles.max()) >= len(points):
        raise InputError(
            f"{path} has {len(points)} vertices and {len(triangles)} triangles, which do not make a surface; "
            "get the file again"
        )
    return Mesh(points, triangles)


def canonical_face(path: str | Path | None = None) -> Mesh:
    """The generic face in the world's units: x to the right as one sees it, y up, z towards the viewer.

    Args:
        path: an .obj in centimetres; default: the asset "canonical_face_model".

    Raises:
        AssetMissing: the asset is not on this machine and cannot be downloaded.
        InputError: it is not a face of 468 vertices.
    """
    path = find_asset("canonical_face_model") if path is None else Path(path)
    mesh = read_obj(path)
    if len(mesh.vertices) != VERTICES:
        raise InputError(f"{path} has {len(mesh.vertices)} vertices, not {VERTICES}; it is another model")
    return mesh.scaled(1.0 / CENTIMETRES_PER_UNIT)


class FaceMeshes(Mapping[str, Tensor]):
    """Points of many faces by the names of their pictures: `meshes["a.png"]` is (468, 3) float32.

    x to the right and y down, in pixels of the picture as it was measured, the first pixel's centre at
    (0.5, 0.5); z in the same unit, smaller is nearer, 0 somewhere in the head (weak perspective).

    On disk an .npz: `names` (N,) str, `points` (N, 468, 3) int16 in sixteenths of a pixel, `presence` (N,)
    float16, how sure it is that there is a face. Presence 0 means that none was found: such a picture
    is not among the names here, but remembered in `missed`.

    Args:
        names: of the pictures; each once.
        points: (N, 468, 3) pixels.
        presence: (N,) in [0, 1].

    Raises:
        InputError: the three do not belong together.
    """

    def __init__(self, names: Sequence[str], points: Tensor, presence: Tensor) -> None:
        if points.shape != (len(names), VERTICES, 3) or presence.shape != (len(names),):
            raise InputError(
                f"{len(names)} names, points {tuple(points.shape)} and presence {tuple(presence.shape)} do "
                f"not belong together; points must be (N, {VERTICES}, 3)"
            )
        self._row = {name: row for row, name in enumerate(names) if presence[row] > 0}
        self.missed = tuple(name for row, name in enumerate(names) if not presence[row] > 0)
        if len(self._row) + len(set(self.missed)) != len(names):
            raise InputError("two faces have the same name; make the names differ")
        self._points = points.float()
        self._presence = presence.float()

    def __getitem__(self, name: str) -> Tensor:
        return self._points[self._row[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def presence(self, name: str) -> float:
        """How sure it is that there is a face, in (0, 1]."""
        return float(self._presence[self._row[name]])

    def stack(self, names: Sequence[str] | None = None) -> Tensor:
        """(N, 468, 3) points of the pictures `names`; default: of all."""
        wanted = list(self._row.values()) if names is None else [self._row[name] for name in names]
        return self._points[torch.tensor(wanted, dtype=torch.long)]

    @classmethod
    def read(cls, path: str | Path) -> FaceMeshes:
        """Read an .npz of points.

        Raises:
            InputError: it is missing, damaged, or holds something else.
        """
        data = read_bytes(path)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                names, points, presence = arrays["names"], arrays["points"], arrays["presence"]
                if points.dtype != np.int16 or presence.dtype.kind != "f" or names.dtype.kind != "U":
                    raise ValueError(f"{names.dtype} names, {points.dtype} points, {presence.dtype} presence")
                pixels = torch.from_numpy(points.astype(np.float32)) / STEPS_PER_PIXEL
                return cls(names.tolist(), pixels, torch.from_numpy(presence.astype(np.float32)))
        except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile, InputError) as fault:
            raise InputError(
                f"{path} does not hold face points ({fault}); make it with lumiface prepare-meshes"
            ) from fault

    def write(self, path: str | Path) -> None:
        """Write an .npz of points atomically; what was missed is remembered in it.

        Raises:
            InputError: a point lies further out than a file can hold.
            OutputError: it cannot be written there.
        """
        rows = list(self._row.values())
        steps = torch.zeros(len(rows) + len(self.missed), VERTICES, 3)
        presence = torch.zeros(len(steps))
        steps[: len(rows)] = (self._points[rows] * STEPS_PER_PIXEL).round()
        presence[: len(rows)] = self._presence[rows]
        if not bool((steps.abs() <= MAX_PIXELS * STEPS_PER_PIXEL).all()):
            raise InputError(
                f"{path}: points beyond {MAX_PIXELS} pixels cannot be kept; make the pictures smaller"
            )
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            names=np.array([*self._row, *self.missed], dtype=np.str_),
            points=steps.numpy().astype(np.int16),
            presence=presence.numpy().astype(np.float16),
        )
        write_bytes(path, buffer.getvalue())
