"""Where the camera of a photograph stood: the generic face is laid onto the points found in the picture.

First a similarity in closed form (Umeyama 1991, "Least-squares estimation of transformation parameters
between two point patterns"), which uses the points' depth and is the camera of weak perspective. From there
the pinhole with a fixed focal length, by Gauss-Newton steps on the reprojection error (the problem of
perspective-n-point); these use x and y alone. What separates a person from the generic face remains as error.
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

_STEPS = 8  # from weak perspective, four leave nothing to gain
_AT_ONCE = 256  # faces whose derivatives are in memory together: 12 MB for 468 points


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """target = scale · rotation · source + translation: (B,), (B, 3, 3), (B, 3)."""

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """(V, 3) or (B, V, 3) of the source -> (B, V, 3) of the target."""
        turned = points @ self.rotation.transpose(1, 2)
        return self.scale[:, None, None] * turned + self.translation[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class CameraFit:
    """What was found for each face.

    Attributes:
        camera: (B, 25), the pinhole, see `lumiface.geometry.camera`.
        error: (B,) mean distance in pixels between the points and the generic face seen by `camera`.
        weak: the camera of weak perspective: world -> x, y and relative depth in pixels.
        weak_error: (B,) its mean distance in the picture, pixels.
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
        ValueError: the shapes do not fit.

    Source:
        Umeyama 1991, equations 40-42.
    """
    if source.shape[-2:] != target.shape[-2:] or target.ndim != 3 or target.shape[2] != 3:
        raise ValueError(f"source {tuple(source.shape)} must be (V, 3) of target {tuple(target.shape)}")
    source = source.expand_as(target)
    share = _shares(weights, target)
    middle_x = (share * source).sum(dim=1, keepdim=True)  # (B, 1, 3)
    middle_y = (share * target).sum(dim=1, keepdim=True)
    x, y = source - middle_x, target - middle_y
    u, spread, vt = torch.linalg.svd((share * y).transpose(1, 2) @ x)
    # A reflection would fit a flat cloud as well as a rotation does: it is undone at the smallest axis.
    sign = torch.ones_like(spread)
    sign[:, 2] = torch.linalg.det(u @ vt).sign()
    rotation = (u * sign[:, None]) @ vt
    scale = (spread * sign).sum(dim=1) / (share * x.square()).sum(dim=(1, 2))
    shift = middle_y - scale[:, None, None] * middle_x @ rotation.transpose(1, 2)
    return Similarity(scale, rotation, shift[:, 0])


def fit_camera(
    points: Tensor,
    canonical: Tensor,
    image_size: int | tuple[int, int],
    intrinsics: Tensor | None = None,
    weights: Tensor | None = None,
) -> CameraFit:
    """The camera that sees the generic face where the points of the picture are.

    Computed in float64 on the CPU, whatever comes in, and given back in the points' type on their device.

    Args:
        points: (B, V, 3) x, y, z in pixels, as `FaceMeshes` gives them.
        canonical: (V, 3) the same points of the generic face in the world.
        image_size: of the picture in pixels: side, or height and width.
        intrinsics: (3, 3), normalised, taken as known; default: `portrait_intrinsics()`.
        weights: (V,) or (B, V), how much each point counts; default: all alike.

    Raises:
        ValueError: the shapes do not fit, or points do not lie like those of a face.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    lens = portrait_intrinsics() if intrinsics is None else intrinsics
    seen, face, lens = (tensor.detach().cpu().double() for tensor in (points, canonical, lens))
    share = _shares(None if weights is None else weights.detach().cpu(), seen)
    # Points that all fall together make a scale of 0 or NaN: said so here, instead of in LAPACK's words.
    finite = seen.isfinite().all(dim=2).all(dim=1)
    weak = fit_similarity(face, torch.where(finite[:, None, None], seen, 0.0), share[:, :, 0])
    bad = (~finite | ~(weak.scale > 0)).nonzero()[:, 0].tolist()
    if bad:
        raise ValueError(f"the points of faces {bad[:5]} do not lie like those of a face; leave these out")
    camera = _pinhole_of(weak, face, seen, lens, (height, width), share)
    pieces: list[Tensor] = []
    for piece in torch.arange(len(seen)).split(_AT_ONCE):
        found = camera[piece]
        for _ in range(_STEPS):
            found = _gauss_newton(found, face, seen[piece], (height, width), share[piece])
        pieces.append(found)
    camera = torch.cat(pieces)
    error = _distance(project(face, camera, height, width), seen)
    weak_error = _distance(weak(face), seen)
    weak = Similarity(*(part.to(points) for part in (weak.scale, weak.rotation, weak.translation)))
    return CameraFit(camera.to(points), error.to(points), weak, weak_error.to(points))


def _shares(weights: Tensor | None, target: Tensor) -> Tensor:
    """(B, V, 1) that sum to 1 over the points."""
    if weights is None:
        return torch.full_like(target[:, :, :1], 1.0 / target.shape[1])
    weights = weights.to(target).expand(target.shape[:2])
    return (weights / weights.sum(dim=1, keepdim=True))[:, :, None]


def _pinhole_of(
    weak: Similarity, face: Tensor, seen: Tensor, lens: Tensor, size: tuple[int, int], share: Tensor
) -> Tensor:
    """The pinhole that shows the face's middle where weak perspective does, and as large."""
    height, width = size
    middle = (share * face).sum(dim=1)  # (B, 3)
    # A pixel is as large there as weak perspective says: depth = focal length in pixels / pixels per unit.
    depth = lens[0, 0] * width / weak.scale
    unmoved = camera_at(torch.eye(3).to(seen).expand(len(seen), 3, 3), torch.zeros_like(middle), lens)
    slope = ray_slopes(unmoved, (share * seen).sum(dim=1, keepdim=True), height, width)[:, 0]
    # R X + t is the face's middle in camera space; the camera stands at -Rᵀ t.
    shift = slope * depth[:, None] - (weak.rotation @ middle[:, :, None])[:, :, 0]
    position = -(weak.rotation.transpose(1, 2) @ shift[:, :, None])[:, :, 0]
    return camera_at(weak.rotation.transpose(1, 2), position, lens)


def _gauss_newton(camera: Tensor, face: Tensor, seen: Tensor, size: tuple[int, int], share: Tensor) -> Tensor:
    """One step for rotation and position towards the least sum of squared distances in the picture."""
    extrinsics, intrinsics = unpack_camera(camera)
    back = extrinsics[:, :3, :3]  # camera to world
    turned = face @ back  # (B, V, 3), Rᵀ by rows
    origin = -extrinsics[:, None, :3, 3] @ back  # (B, 1, 3), of the world in camera space
    residual = (project(face, camera, *size) - seen)[:, :, :2]
    slope = _picture_slope(turned + origin, intrinsics, size)  # (B, V, 2, 3)
    # R X + t -> R X + ω x R X + t + δ: turning about the head moves the picture otherwise than shifting does.
    jacobian = torch.cat([-slope @ _cross(turned), slope], dim=3)  # (B, V, 2, 6)
    weighted = jacobian * share[:, :, None]
    normal = torch.einsum("bvki,bvkj->bij", weighted, jacobian)
    normal = normal + 1e-9 * torch.diag_embed(normal.diagonal(dim1=1, dim2=2))
    step = torch.linalg.solve(normal, -torch.einsum("bvki,bvk->bi", weighted, residual))
    back = back @ torch.linalg.matrix_exp(_cross(step[:, :3])).transpose(1, 2)
    origin = origin[:, 0] + step[:, 3:]
    return camera_at(back, -(back @ origin[:, :, None])[:, :, 0], intrinsics)


def _picture_slope(moved: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, V, 3) in camera space -> (B, V, 2, 3), how x and y in pixels change with it."""
    depth = moved[:, :, 2, None, None]
    pixels = intrinsics.new_tensor([size[1], size[0]])[:, None]
    flat = (intrinsics[:, :2] * pixels)[:, None]  # (B, 1, 2, 3), in pixels
    slope = flat.expand(-1, moved.shape[1], 2, 3) / depth
    along = -(flat[..., :2] @ moved[:, :, :2, None]) / depth.square()  # (B, V, 2, 1)
    return torch.cat([slope[..., :2], along], dim=3)


def _cross(vectors: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3), the matrices that multiply as the cross product with `vectors` does."""
    x, y, z = vectors.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).reshape(*vectors.shape, 3)


def _distance(ours: Tensor, seen: Tensor) -> Tensor:
    return torch.linalg.vector_norm((ours - seen)[:, :, :2], dim=2).mean(dim=1)
