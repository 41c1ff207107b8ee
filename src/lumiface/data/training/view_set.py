"""Photographs of faces with their estimated cameras: the training data of a 3D prior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lumiface.core.device import to_device
from lumiface.core.errors import InputError
from lumiface.data.faults import Faults
from lumiface.data.sources import open_source
from lumiface.data.training.face_tensor import read_square_faces
from lumiface.geometry.camera import mirror_camera
from lumiface.geometry.depth import DepthTarget, face_depth
from lumiface.geometry.mesh import FaceMeshes, canonical_face
from lumiface.geometry.pose import fit_camera

MAX_ERROR = 0.03
"""A picture is dropped if the mean reprojection error of its landmarks exceeds this, in picture widths."""

STORED_TOGETHER = 64
"""Faces that `store_depth` rasterises at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """A batch.

    Attributes:
        pictures: (B, 3, H, H) in [0, 1].
        cameras: (B, 25).
        depth: (B, 1, h, h), along the rays in world units, 0 outside of the mask.
        mask: (B, 1, h, h), true on the face.
    """

    pictures: Tensor
    cameras: Tensor
    depth: Tensor
    mask: Tensor

    def mirrored(self) -> Views:
        """The mirrored faces with mirrored cameras."""
        return Views(
            self.pictures.flip(-1), mirror_camera(self.cameras), self.depth.flip(-1), self.mask.flip(-1)
        )


class ViewSet:
    """Faces of one size with their landmarks and cameras, on one device.

    Attributes:
        names: of the pictures.
        pictures: (N, 3, H, H) uint8.
        points: (N, 468, 3), see `FaceMeshes`.
        cameras: (N, 25).
    """

    def __init__(self, names: list[str], pictures: Tensor, points: Tensor, cameras: Tensor) -> None:
        self.names, self.pictures, self.points, self.cameras = names, pictures, points, cameras
        self.face = canonical_face().to(pictures.device)
        self._stored: dict[int, DepthTarget] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Sequence[int], depth_size: int | None) -> Views:
        """Faces by index, with depth maps of `depth_size` pixels; None: with empty depth maps."""
        rows = to_device(torch.tensor(list(indices)), self.pictures.device)
        cameras = self.cameras[rows]
        pictures = self.pictures[rows].float() / 255.0
        if depth_size is None:
            empty = pictures.new_zeros(len(rows), 1, 0, 0)
            return Views(pictures, cameras, empty, empty.bool())
        if (stored := self._stored.get(depth_size)) is not None:
            return Views(pictures, cameras, stored.depth[rows][:, None], stored.mask[rows][:, None])
        target = self._depth(rows, depth_size)
        return Views(pictures, cameras, target.depth[:, None], target.mask[:, None])

    def store_depth(self, size: int) -> None:
        """Compute the depth maps of all faces now; `batch` then takes them from there.

        The rasteriser asks the device how many pixels each triangle covers, for which a GPU would be waited
        for in every step. N maps take 5 · N · size² bytes of its memory.
        """
        rows = torch.arange(len(self), device=self.pictures.device)
        parts = [self._depth(part, size) for part in rows.split(STORED_TOGETHER)]
        self._stored[size] = DepthTarget(
            torch.cat([part.depth for part in parts]), torch.cat([part.mask for part in parts])
        )

    def _depth(self, rows: Tensor, size: int) -> DepthTarget:
        """The depth maps of faces by index, (B, size, size)."""
        side = self.pictures.shape[-1]
        return face_depth(self.points[rows], self.cameras[rows], self.face, side, (size, size))


def load_views(
    sources: Sequence[str | Path],
    meshes: str | Path,
    device: torch.device | str = "cpu",
    log: Callable[[str], None] = print,
    skip_bad: bool | None = None,
) -> ViewSet:
    """Decode every picture that has landmarks, and estimate its camera.

    Args:
        sources: folders, uncompressed tars or packs of square, aligned faces of one size.
        meshes: .npz with the landmarks of at least one of them, by name; see `lumiface prepare-meshes`.
        device: of the set.
        log: receives one line of text (number of views, pictures dropped).
        skip_bad: see `Faults`.

    Raises:
        InputError: a source or the landmarks are absent, pictures cannot be used, or none has landmarks.
    """
    found = FaceMeshes.read(meshes)
    faults = Faults(skip_bad, log)
    views = list(read_square_faces(sources, names=found, faults=faults))
    faults.settle()
    if not views:
        raise InputError(f"{meshes} has no landmarks of any picture in {', '.join(map(str, sources))}")
    names, pictures = [name for name, _ in views], [pixels for _, pixels in views]
    without = sum(len(open_source(source)) for source in sources) - len(views)
    points, size = found.stack(names), pictures[0].shape[-1]
    fit = fit_camera(points, canonical_face().vertices, size)
    kept = (fit.error < MAX_ERROR * size).nonzero()[:, 0].tolist()
    dropped = len(names) - len(kept)
    log(f"{len(kept)} views; {without} pictures have no landmarks, {dropped} have no fitting camera")
    return ViewSet(
        [names[row] for row in kept],
        torch.stack([pictures[row] for row in kept]).to(device),
        points[kept].to(device),
        fit.camera[kept].to(device),
    )
