"""Aligned crops of faces, as the networks expect them, and the inverse mapping."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lumiface.faces.face import Face
from lumiface.faces.warp import warp

# Left eye, right eye, nose, left and right mouth corner in the unit square (0, 0)..(1, 1) of an aligned crop:
# the mean of the detector's points (`find_faces`) over 100 faces aligned as FFHQ is (Karras, Laine, Aila,
# CVPR 2019, appendix A), the alignment of the training faces; made exactly symmetric, which moved no point
# by more than 0.002. `TEMPLATE_BOX` is the mean of the detector's boxes (x1, y1, x2, y2) there.
TEMPLATE: tuple[tuple[float, float], ...] = (
    (0.3757, 0.4719),
    (0.6243, 0.4719),
    (0.5000, 0.6243),
    (0.3881, 0.7367),
    (0.6119, 0.7367),
)
TEMPLATE_BOX: tuple[float, float, float, float] = (0.2199, 0.1922, 0.7525, 0.9096)


def similarity_transform(source: Tensor, target: Tensor) -> Tensor:
    """The rotation, scale and translation that maps `source` (N, 2) closest to `target` (N, 2).

    Least squares without reflection: Umeyama, IEEE TPAMI 1991, equations 40 to 42. In 2D the singular value
    decomposition has a closed form: with points as complex numbers about their means, the factor is
    `sum(conj(s) t) / sum(|s|^2)`.

    Returns:
        (2, 3) float64.

    Raises:
        ValueError: other shapes, fewer than two points, or source points that all coincide.
    """
    if source.shape != target.shape or source.dim() != 2 or source.shape[1] != 2 or len(source) < 2:
        raise ValueError(f"need two (N, 2), N >= 2; got {tuple(source.shape)} and {tuple(target.shape)}")
    source, target = source.double(), target.double()
    source_mean, target_mean = source.mean(0), target.mean(0)
    (sx, sy), (tx, ty) = (source - source_mean).unbind(1), (target - target_mean).unbind(1)
    power = (sx * sx + sy * sy).sum()
    if float(power) == 0.0:
        raise ValueError("all source points coincide: no transform is defined")
    cosine, sine = (sx * tx + sy * ty).sum() / power, (sx * ty - sy * tx).sum() / power
    rotation = torch.stack([torch.stack([cosine, -sine]), torch.stack([sine, cosine])])  # times the scale
    return torch.cat([rotation, (target_mean - rotation @ source_mean)[:, None]], 1)


def invert(matrix: Tensor) -> Tensor:
    """The inverse of an affine map (2, 3), again (2, 3) float64."""
    matrix = matrix.double()
    inverse = torch.linalg.inv(matrix[:, :2])
    return torch.cat([inverse, -inverse @ matrix[:, 2:]], 1)


def face_matrix(face: Face) -> Tensor:
    """(2, 3) float64: picture pixels (pixel-edge) -> the unit square of the aligned crop."""
    return similarity_transform(torch.tensor(face.landmarks), torch.tensor(TEMPLATE))


def native_side(face: Face) -> float:
    """Side of the aligned square crop in picture pixels: a crop of this size keeps the picture's scale."""
    return 1.0 / math.sqrt(float(torch.linalg.det(face_matrix(face)[:, :2])))


def crop_face(rgb: Tensor, matrix: Tensor, size: int) -> Tensor:
    """(1, 3, H, W) -> the aligned crop (1, 3, size, size).

    `matrix` (2, 3) maps picture pixels (pixel-edge) to the unit square, as returned by `face_matrix`. Bicubic
    and antialiased (`warp.warp`); beyond its border the picture is mirrored. Pixels of the crop that coincide
    with pixels of the picture are equal to them.
    """
    return warp(rgb, invert(matrix), (size, size))
