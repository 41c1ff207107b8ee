"""Camera pose estimation: fits the canonical face to the landmarks.

First a similarity in closed form (Umeyama 1991, "Least-squares estimation of transformation parameters
between two point patterns"), which uses the landmarks' depth and is the weak-perspective camera. Then
the pinhole camera with a fixed focal length by Gauss-Newton steps on the reprojection error (the
perspective-n-point problem), which use x and y only. The difference of a person from the canonical face
remains as error.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lumiface.geometry.camera import (
    camera_at,
    portrait_intrinsics,
    project,
    ray_slopes,
    unpack_camera,
)

_STEPS = 8  # converged after four, starting from weak perspective
_CHUNK = 256  # faces whose Jacobians are in memory together: 12 MB for 468 landmarks


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """target = scale · rotation · source + translation: (B,), (B, 3, 3), (B, 3)."""

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """(V, 3) or (B, V, 3) of the source -> (B, V, 3) of the target."""
        rotated = points @ self.rotation.transpose(1, 2)
        return self.scale[:, None, None] * rotated + self.translation[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class CameraFit:
    """The estimated cameras.

    Attributes:
        camera: (B, 25), the pinhole camera, see `lumiface.geometry.camera`.
        error: (B,) mean distance in pixels between the landmarks and the canonical face seen by `camera`.
        weak: the weak-perspective camera: world -> x, y and relative depth in pixels.
        weak_error: (B,) its mean distance in the image, pixels.
    """

    camera: Tensor
    error: Tensor
    weak: Similarity
    weak_error: Tensor


def fit_similarity(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Similarity:
    r"""The rotation, scale and shift with the least :math:`\sum_i w_i ||y_i - (c R x_i + t)||^2`.

    Args:
        source: x, (V, 3) or (B, V, 3).
        target: y, (B, V, 3).
        weights: w, (V,) or (B, V), none negative; default: all equal.

    Raises:
        ValueError: the shapes do not match.

    Source:
        Umeyama 1991, equations 40-42.
    """
    if source.shape[-2:] != target.shape[-2:] or target.ndim != 3 or target.shape[2] != 3:
        raise ValueError(f"source {tuple(source.shape)} must be (V, 3) of target {tuple(target.shape)}")
    source = source.expand_as(target)
    weight = _normalized_weights(weights, target)
    mean_x = (weight * source).sum(dim=1, keepdim=True)  # (B, 1, 3)
    mean_y = (weight * target).sum(dim=1, keepdim=True)
    x, y = source - mean_x, target - mean_y
    u, singular_values, vt = torch.linalg.svd((weight * y).transpose(1, 2) @ x)
    # Exclude reflections, which fit a flat point set as well as rotations: flip the axis of least variance.
    sign = torch.ones_like(singular_values)
    sign[:, 2] = torch.linalg.det(u @ vt).sign()
    rotation = (u * sign[:, None]) @ vt
    scale = (singular_values * sign).sum(dim=1) / (weight * x.square()).sum(dim=(1, 2))
    translation = mean_y - scale[:, None, None] * mean_x @ rotation.transpose(1, 2)
    return Similarity(scale, rotation, translation[:, 0])


def fit_camera(
    points: Tensor,
    canonical: Tensor,
    image_size: int | tuple[int, int],
    intrinsics: Tensor | None = None,
    weights: Tensor | None = None,
) -> CameraFit:
    """The camera whose view of the canonical face fits the landmarks best.

    Computed in float64 on the CPU, and returned in the landmarks' type on their device.

    Args:
        points: (B, V, 3) x, y, z in pixels, as in `FaceMeshes`.
        canonical: (V, 3) the same landmarks of the canonical face in the world.
        image_size: in pixels: size of a square image, or height and width.
        intrinsics: (3, 3), normalised, assumed known; default: `portrait_intrinsics()`.
        weights: (V,) or (B, V), weight of each landmark; default: uniform.

    Raises:
        ValueError: the shapes do not match, or the landmarks of a face are degenerate.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    lens = portrait_intrinsics() if intrinsics is None else intrinsics
    landmarks, face, lens = (tensor.detach().cpu().double() for tensor in (points, canonical, lens))
    weight = _normalized_weights(None if weights is None else weights.detach().cpu(), landmarks)
    # Coincident points give a scale of 0 or NaN: reported here, before LAPACK fails on them.
    finite = landmarks.isfinite().all(dim=2).all(dim=1)
    weak = fit_similarity(face, torch.where(finite[:, None, None], landmarks, 0.0), weight[:, :, 0])
    invalid = (~finite | ~(weak.scale > 0)).nonzero()[:, 0].tolist()
    if invalid:
        raise ValueError(f"the landmarks of faces {invalid[:5]} are degenerate; leave these out")
    camera = _pinhole_from_weak(weak, face, landmarks, lens, (height, width), weight)
    chunks: list[Tensor] = []
    for rows in torch.arange(len(landmarks)).split(_CHUNK):
        estimate = camera[rows]
        for _ in range(_STEPS):
            estimate = _gauss_newton(estimate, face, landmarks[rows], (height, width), weight[rows])
        chunks.append(estimate)
    camera = torch.cat(chunks)
    error = _distance(project(face, camera, height, width), landmarks)
    weak_error = _distance(weak(face), landmarks)
    weak = Similarity(*(part.to(points) for part in (weak.scale, weak.rotation, weak.translation)))
    return CameraFit(camera.to(points), error.to(points), weak, weak_error.to(points))


def _normalized_weights(weights: Tensor | None, target: Tensor) -> Tensor:
    """(B, V, 1) that sum to 1 over the points."""
    if weights is None:
        return torch.full_like(target[:, :, :1], 1.0 / target.shape[1])
    weights = weights.to(target).expand(target.shape[:2])
    return (weights / weights.sum(dim=1, keepdim=True))[:, :, None]


def _pinhole_from_weak(
    weak: Similarity, face: Tensor, landmarks: Tensor, lens: Tensor, size: tuple[int, int], weight: Tensor
) -> Tensor:
    """The pinhole camera that projects the face's centre as weak perspective does, at the same scale."""
    height, width = size
    centre = (weight * face).sum(dim=1)  # (B, 3)
    # Equal scale at the centre: depth = focal length in pixels / pixels per unit.
    depth = lens[0, 0] * width / weak.scale
    identity = torch.eye(3).to(landmarks).expand(len(landmarks), 3, 3)
    origin = camera_at(identity, torch.zeros_like(centre), lens)
    direction = ray_slopes(origin, (weight * landmarks).sum(dim=1, keepdim=True), height, width)[:, 0]
    # R X + t is the face's centre in camera space; the camera's position is -Rᵀ t.
    translation = direction * depth[:, None] - (weak.rotation @ centre[:, :, None])[:, :, 0]
    position = -(weak.rotation.transpose(1, 2) @ translation[:, :, None])[:, :, 0]
    return camera_at(weak.rotation.transpose(1, 2), position, lens)


def _gauss_newton(
    camera: Tensor, face: Tensor, landmarks: Tensor, size: tuple[int, int], weight: Tensor
) -> Tensor:
    """One step in rotation and position that reduces the sum of squared reprojection errors."""
    extrinsics, intrinsics = unpack_camera(camera)
    rotation = extrinsics[:, :3, :3]  # camera to world
    rotated = face @ rotation  # (B, V, 3), Rᵀ by rows
    origin = -extrinsics[:, None, :3, 3] @ rotation  # (B, 1, 3), the world's origin in camera space
    residual = (project(face, camera, *size) - landmarks)[:, :, :2]
    gradient = _projection_jacobian(rotated + origin, intrinsics, size)  # (B, V, 2, 3)
    # R X + t -> R X + ω x R X + t + δ: rotation about the head's origin and translation, well separated.
    jacobian = torch.cat([-gradient @ _cross(rotated), gradient], dim=3)  # (B, V, 2, 6)
    weighted = jacobian * weight[:, :, None]
    normal = torch.einsum("bvki,bvkj->bij", weighted, jacobian)
    normal = normal + 1e-9 * torch.diag_embed(normal.diagonal(dim1=1, dim2=2))
    step = torch.linalg.solve(normal, -torch.einsum("bvki,bvk->bi", weighted, residual))
    rotation = rotation @ torch.linalg.matrix_exp(_cross(step[:, :3])).transpose(1, 2)
    origin = origin[:, 0] + step[:, 3:]
    return camera_at(rotation, -(rotation @ origin[:, :, None])[:, :, 0], intrinsics)


def _projection_jacobian(points: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, V, 3) in camera space -> (B, V, 2, 3), derivative of x and y in pixels."""
    depth = points[:, :, 2, None, None]
    pixels = intrinsics.new_tensor([size[1], size[0]])[:, None]
    scaled = (intrinsics[:, :2] * pixels)[:, None]  # (B, 1, 2, 3), in pixels
    by_xy = scaled.expand(-1, points.shape[1], 2, 3) / depth
    by_z = -(scaled[..., :2] @ points[:, :, :2, None]) / depth.square()  # (B, V, 2, 1)
    return torch.cat([by_xy[..., :2], by_z], dim=3)


def _cross(vectors: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3), the matrices of the cross product with `vectors`."""
    x, y, z = vectors.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).reshape(*vectors.shape, 3)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return torch.linalg.vector_norm((one - other)[:, :, :2], dim=2).mean(dim=1)
