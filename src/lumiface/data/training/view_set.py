"""Photographs of faces with the camera that took each: what a 3D prior is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.data.sources import open_source
from lumiface.geometry.camera import mirror_camera
from lumiface.geometry.depth import face_depth
from lumiface.geometry.mesh import FaceMeshes, canonical_face
from lumiface.geometry.pose import fit_camera
from lumiface.imaging.io import decode_rgb8

MAX_ERROR = 0.03
"""A picture is left out where its points lie further than this from the generic face's, in widths of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """A batch: `pictures` (B, 3, H, H) in [0, 1], `cameras` (B, 25), `depth` (B, 1, h, h) along the rays in
    world units, 0 outside `mask` (B, 1, h, h), which is the face."""

    pictures: Tensor
    cameras: Tensor
    depth: Tensor
    mask: Tensor

    def mirrored(self) -> Views:
        """The same faces seen in a mirror, by mirrored cameras."""
        return Views(
            self.pictures.flip(-1), mirror_camera(self.cameras), self.depth.flip(-1), self.mask.flip(-1)
        )


class ViewSet:
    """Faces of one size with their points and cameras, on one device.

    Attributes:
        names: of the pictures.
        pictures: (N, 3, H, H) uint8.
        points: (N, 468, 3), see `FaceMeshes`.
        cameras: (N, 25).
    """

    def __init__(self, names: list[str], pictures: Tensor, points: Tensor, cameras: Tensor) -> None:
        self.names, self.pictures, self.points, self.cameras = names, pictures, points, cameras
        self.face = canonical_face().to(pictures.device)

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Sequence[int], depth_side: int | None) -> Views:
        """Faces by number, with depth maps of `depth_side` pixels square, or of none."""
        rows = torch.tensor(list(indices), device=self.pictures.device)
        cameras = self.cameras[rows]
        pictures = self.pictures[rows].float() / 255.0
        if depth_side is None:
            nothing = pictures.new_zeros(len(rows), 1, 0, 0)
            return Views(pictures, cameras, nothing, nothing.bool())
        size = (depth_side, depth_side)
        target = face_depth(self.points[rows], cameras, self.face, self.pictures.shape[-1], size)
        return Views(pictures, cameras, target.depth[:, None], target.mask[:, None])


def load_views(
    sources: Sequence[str | Path],
    meshes: str | Path,
    device: torch.device | str = "cpu",
    tell: Callable[[str], None] = print,
) -> ViewSet:
    """Decode every picture that has points, and find out where its camera stood.

    Args:
        sources: folders or uncompressed tars of square, aligned faces of one size.
        meshes: .npz with the points of at least one of them, by name; see `lumiface prepare-meshes`.
        device: where the bytes shall live.
        tell: receives what a person should know (counts, pictures left out).

    Raises:
        InputError: a source or the points are absent, pictures differ in size, or none has points.
    """
    found = FaceMeshes.read(meshes)
    names: list[str] = []
    pictures: list[Tensor] = []
    without = 0
    for source in sources:
        for name, data in open_source(source).items():
            if name not in found:
                without += 1
                continue
            pixels = torch.from_numpy(decode_rgb8(data, name).copy()).permute(2, 0, 1)
            if pixels.shape[1] != pixels.shape[2] or (pictures and pixels.shape != pictures[0].shape):
                raise InputError(
                    f"{source}: {name} is {pixels.shape[2]}x{pixels.shape[1]}; all must be one square"
                )
            names.append(name)
            pictures.append(pixels)
    if not names:
        raise InputError(f"{meshes} has no points of any picture in {', '.join(map(str, sources))}")
    points, side = found.stack(names), pictures[0].shape[-1]
    fit = fit_camera(points, canonical_face().vertices, side)
    good = (fit.error < MAX_ERROR * side).nonzero()[:, 0].tolist()
    tell(f"{len(good)} views; {without} pictures have no points, {len(names) - len(good)} fit no camera")
    return ViewSet(
        [names[row] for row in good],
        torch.stack([pictures[row] for row in good]).to(device),
        points[good].to(device),
        fit.camera[good].to(device),
    )
