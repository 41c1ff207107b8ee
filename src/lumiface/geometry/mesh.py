"""Face meshes: the canonical face, and the landmarks detected in each image.

Both have the topology of MediaPipe's face mesh (Kartynnik et al. 2019, "Real-time Facial Surface Geometry
from Monocular Video on Mobile GPUs"): 468 vertices, 898 triangles, one sheet without holes, bounded by the
oval of the face. Ears, hair and neck are not included.
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
"""Number of landmarks, in MediaPipe's order."""

CENTIMETRES_PER_UNIT = 43.0
"""World unit: a face is 0.36 wide, a head fits into [-0.5, 0.5]³, and the camera of a portrait aligned as in
FFHQ is EG3D's 2.7 units away."""

STEPS_PER_PIXEL = 16
"""Landmarks are stored as integers, in sixteenths of a pixel."""

MAX_PIXELS = 32767 // STEPS_PER_PIXEL
"""The largest coordinate that can be stored."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh: `vertices` (V, 3) float32 and `triangles` (F, 3) int64, indices of vertices."""

    vertices: Tensor
    triangles: Tensor

    def scaled(self, factor: float) -> Mesh:
        """The mesh with all coordinates multiplied by `factor`."""
        return Mesh(self.vertices * factor, self.triangles)

    def to(self, device: torch.device | str) -> Mesh:
        """The mesh on another device."""
        return Mesh(self.vertices.to(device), self.triangles.to(device))


def read_obj(path: str | Path) -> Mesh:
    """Vertices and triangles of a Wavefront .obj; polygons become triangle fans, other entries are ignored.

    Raises:
        InputError: it is not an .obj file, or a face refers to a missing vertex.
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
                # Indices count from 1; negative ones backwards from the last vertex so far.
                corners = [corner - 1 if corner > 0 else len(vertices) + corner for corner in corners]
                faces += [[corners[0], *corners[k : k + 2]] for k in range(1, len(corners) - 1)]
        points = torch.tensor(vertices, dtype=torch.float32).reshape(-1, 3)
        triangles = torch.tensor(faces, dtype=torch.long).reshape(-1, 3)
    except (UnicodeDecodeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is not a readable .obj ({error}); get the file again") from error
    if len(triangles) == 0 or int(triangles.min()) < 0 or int(triangles.max()) >= len(points):
        raise InputError(
            f"{path} has {len(points)} vertices and {len(triangles)} triangles, which do not form a mesh; "
            "get the file again"
        )
    return Mesh(points, triangles)


def canonical_face(path: str | Path | None = None) -> Mesh:
    """The canonical face in world units: x to the viewer's right, y up, z towards the viewer.

    Args:
        path: an .obj in centimetres; default: the asset "canonical_face_model".

    Raises:
        AssetMissing: the asset is not on this machine and cannot be downloaded.
        InputError: it does not have 468 vertices.
    """
    path = find_asset("canonical_face_model") if path is None else Path(path)
    mesh = read_obj(path)
    if len(mesh.vertices) != VERTICES:
        raise InputError(f"{path} has {len(mesh.vertices)} vertices, not {VERTICES}; it is another model")
    return mesh.scaled(1.0 / CENTIMETRES_PER_UNIT)


class FaceMeshes(Mapping[str, Tensor]):
    """Landmarks of many faces by image name: `meshes["a.png"]` is (468, 3) float32.

    x to the right and y down, in pixels of the processed image, the first pixel's centre at (0.5, 0.5); z in
    the same unit, smaller is nearer, with an arbitrary origin in the head (weak perspective).

    On disk an .npz: `names` (N,) str, `points` (N, 468, 3) int16 in sixteenths of a pixel, `presence` (N,)
    float16, the confidence that there is a face. Presence 0 means that none was detected: such an image is
    not among the keys, but listed in `missed`.

    Args:
        names: of the images, without duplicates.
        points: (N, 468, 3) pixels.
        presence: (N,) in [0, 1].

    Raises:
        InputError: the shapes do not match, or a name occurs twice.
    """

    def __init__(self, names: Sequence[str], points: Tensor, presence: Tensor) -> None:
        if points.shape != (len(names), VERTICES, 3) or presence.shape != (len(names),):
            raise InputError(
                f"{len(names)} names, points {tuple(points.shape)} and presence {tuple(presence.shape)} do "
                f"not match; points must be (N, {VERTICES}, 3)"
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
        """The confidence that there is a face, in (0, 1]."""
        return float(self._presence[self._row[name]])

    def stack(self, names: Sequence[str] | None = None) -> Tensor:
        """(N, 468, 3) landmarks of the images `names`; default: of all."""
        rows = list(self._row.values()) if names is None else [self._row[name] for name in names]
        return self._points[torch.tensor(rows, dtype=torch.long)]

    @classmethod
    def read(cls, path: str | Path) -> FaceMeshes:
        """Read an .npz of landmarks.

        Raises:
            InputError: it is missing, damaged, or has other contents.
        """
        data = read_bytes(path)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                names, points, presence = arrays["names"], arrays["points"], arrays["presence"]
                if points.dtype != np.int16 or presence.dtype.kind != "f" or names.dtype.kind != "U":
                    raise ValueError(f"{names.dtype} names, {points.dtype} points, {presence.dtype} presence")
                pixels = torch.from_numpy(points.astype(np.float32)) / STEPS_PER_PIXEL
                return cls(names.tolist(), pixels, torch.from_numpy(presence.astype(np.float32)))
        except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile, InputError) as error:
            raise InputError(
                f"{path} does not hold face landmarks ({error}); make it with lumiface prepare-meshes"
            ) from error

    def write(self, path: str | Path) -> None:
        """Write an .npz of landmarks atomically, including the names in `missed`.

        Raises:
            InputError: a coordinate exceeds the largest one that can be stored.
            OutputError: it cannot be written there.
        """
        rows = list(self._row.values())
        integers = torch.zeros(len(rows) + len(self.missed), VERTICES, 3)
        presence = torch.zeros(len(integers))
        integers[: len(rows)] = (self._points[rows] * STEPS_PER_PIXEL).round()
        presence[: len(rows)] = self._presence[rows]
        if not bool((integers.abs() <= MAX_PIXELS * STEPS_PER_PIXEL).all()):
            raise InputError(
                f"{path}: coordinates beyond {MAX_PIXELS} pixels cannot be stored; make the images smaller"
            )
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            names=np.array([*self._row, *self.missed], dtype=np.str_),
            points=integers.numpy().astype(np.int16),
            presence=presence.numpy().astype(np.float16),
        )
        write_bytes(path, buffer.getvalue())
