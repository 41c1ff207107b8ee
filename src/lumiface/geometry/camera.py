"""Pinhole cameras: poses, projection, and rays through pixels.

The conventions of all 3D code (those of EG3D, Chan et al. 2022, "Efficient Geometry-aware 3D Generative
Adversarial Networks", so that its tri-planes are compatible):

* **World**: the canonical face's space divided by `CENTIMETRES_PER_UNIT`. Origin in the head, x to the right
  for the viewer (the person's left), y up, z out of the face. A head lies in [-0.5, 0.5]³.
* **Camera space**: x right, y down, z forward (OpenCV's). The camera of a portrait is near (0, 0, 2.7) and
  looks along the world's -z.
* **Camera**: 25 numbers: the 4x4 camera-to-world matrix, row by row, then the 3x3 intrinsics, normalised: an
  image spans [0, 1] x [0, 1] at any resolution, (0, 0) is its upper left *corner*.
* **Pixels**: the centre of the upper left pixel is (0.5, 0.5).
* **Angles** in degrees, of the camera around the head: yaw > 0 moves it to the world's right, so that the
  face looks to the left of the image; pitch > 0 moves it up, so that the face looks down; roll > 0 tilts it
  to the left, so that the face leans clockwise.

Every function takes batches, works on any device and is differentiable.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.core.constants import constant_like

RADIUS = 2.7
"""Default distance of the camera from the head's centre, world units."""

FOCAL = 4.2647
"""EG3D's focal length for portraits, in image widths: a field of view of 13.4°."""

CAMERA_LENGTH = 25
"""Length of a camera vector: 16 + 9."""


def portrait_intrinsics(focal: float = FOCAL) -> Tensor:
    """(3, 3) normalised intrinsics of a pinhole camera with a central principal point."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def pack_camera(extrinsics: Tensor, intrinsics: Tensor) -> Tensor:
    """(B, 4, 4) camera-to-world and (3, 3) or (B, 3, 3) normalised intrinsics -> (B, 25)."""
    batch = len(extrinsics)
    lens = intrinsics.to(extrinsics).expand(batch, 3, 3)
    return torch.cat([extrinsics.reshape(batch, 16), lens.reshape(batch, 9)], dim=1)


def unpack_camera(camera: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 25) -> camera-to-world (B, 4, 4) and normalised intrinsics (B, 3, 3).

    Raises:
        ValueError: the shape is different.
    """
    if camera.ndim != 2 or camera.shape[1] != CAMERA_LENGTH:
        raise ValueError(f"camera {tuple(camera.shape)} must be (B, {CAMERA_LENGTH})")
    return camera[:, :16].reshape(-1, 4, 4), camera[:, 16:].reshape(-1, 3, 3)


def euler_to_matrix(angles: Tensor) -> Tensor:
    """(B, 3) yaw, pitch, roll in degrees -> rotations (B, 3, 3), R_y(yaw) R_x(-pitch) R_z(roll)."""
    yaw, pitch, roll = angles.deg2rad().unbind(dim=1)
    return _rotation(yaw, 2, 0) @ _rotation(-pitch, 1, 2) @ _rotation(roll, 0, 1)


def matrix_to_euler(rotation: Tensor) -> Tensor:
    """(B, 3, 3) rotations -> (B, 3) yaw, pitch, roll in degrees, |pitch| <= 90."""
    yaw = torch.atan2(rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = torch.asin(rotation[:, 1, 2].clamp(-1.0, 1.0))
    roll = torch.atan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return torch.stack([yaw, pitch, roll], dim=1).rad2deg()


def orbit_camera(angles: Tensor, radius: float = RADIUS, intrinsics: Tensor | None = None) -> Tensor:
    """Cameras on a sphere around the head, looking at the origin.

    Args:
        angles: (B, 3) yaw, pitch, roll in degrees.
        radius: distance from the origin, world units.
        intrinsics: (3, 3) or (B, 3, 3), normalised; default: `portrait_intrinsics()`.

    Returns:
        (B, 25).
    """
    rotation = euler_to_matrix(angles)
    facing = rotation * constant_like((1.0, -1.0, -1.0), rotation)  # times diag(1, -1, -1): y down, z forward
    return camera_at(facing, radius * rotation[:, :, 2], intrinsics)


def camera_at(rotation: Tensor, position: Tensor, intrinsics: Tensor | None = None) -> Tensor:
    """Cameras from camera-to-world rotations (B, 3, 3) and positions (B, 3) in the world -> (B, 25)."""
    last = constant_like((0.0, 0.0, 0.0, 1.0), rotation).expand(len(rotation), 1, 4)
    extrinsics = torch.cat([torch.cat([rotation, position[:, :, None]], dim=2), last], dim=1)  # (B, 4, 4)
    return pack_camera(extrinsics, portrait_intrinsics() if intrinsics is None else intrinsics)


def camera_angles(camera: Tensor) -> Tensor:
    """(B, 25) -> (B, 3) yaw, pitch, roll in degrees, of the orientation alone, whatever the position."""
    extrinsics, _ = unpack_camera(camera)
    return matrix_to_euler(extrinsics[:, :3, :3] * constant_like((1.0, -1.0, -1.0), camera))


def mirror_camera(camera: Tensor) -> Tensor:
    """The camera of the mirrored image, in a world that is mirrored with it (x -> -x).

    A face is nearly symmetric, so the mirrored image is approximately a second view of it.

    Args:
        camera: (B, 25).

    Returns:
        (B, 25).
    """
    extrinsics, intrinsics = unpack_camera(camera)
    flip = constant_like((-1.0, 1.0, 1.0, 1.0), camera)
    # M E M with M = diag(-1, 1, 1, 1): the two reflections leave a rotation a rotation.
    extrinsics = flip[:, None] * extrinsics * flip
    # u' = 1 - u with x' = -x: the focal length stays, the shear changes sign, the centre is mirrored.
    sign = constant_like(((1.0, -1.0, -1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)), camera)
    shift = constant_like(((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), camera)
    return pack_camera(extrinsics, intrinsics * sign + shift)


def yaw_camera(camera: Tensor, degrees: float | Tensor) -> Tensor:
    """Rotate the camera about the world's vertical axis; height and distance stay.

    Args:
        camera: (B, 25).
        degrees: a number, or (B,); positive: to the world's right.

    Returns:
        (B, 25).
    """
    extrinsics, intrinsics = unpack_camera(camera)
    yaw = torch.as_tensor(degrees).to(camera).expand(len(camera)).deg2rad()
    rotation = _rotation(yaw, 2, 0)
    return pack_camera(torch.cat([rotation @ extrinsics[:, :3], extrinsics[:, 3:]], dim=1), intrinsics)


def project(points: Tensor, camera: Tensor, height: int, width: int) -> Tensor:
    """World -> image.

    Args:
        points: (B, V, 3) or (V, 3) in the world.
        camera: (B, 25).
        height, width: of the image in pixels.

    Returns:
        (B, V, 3): x and y in pixels, and the depth along the camera's axis in world units.
    """
    extrinsics, intrinsics = unpack_camera(camera)
    local = (points - extrinsics[:, None, :3, 3]) @ extrinsics[:, :3, :3]  # Rᵀ(X - c), by rows
    u, v, depth = (local @ intrinsics.transpose(1, 2)).unbind(dim=2)
    return torch.stack([u / depth * width, v / depth * height, depth], dim=2)


def ray_slopes(camera: Tensor, pixels: Tensor, height: int, width: int) -> Tensor:
    """Ray directions of pixels in camera space at depth 1: pixels (B, N, 2) -> (B, N, 3), z = 1."""
    _, intrinsics = unpack_camera(camera)
    u, v = pixels[..., 0] / width, pixels[..., 1] / height
    # The intrinsics are upper triangular and inverted explicitly: exact, and possible on any device.
    fx, shear, cx = intrinsics[:, 0].unbind(dim=1)
    fy, cy = intrinsics[:, 1, 1], intrinsics[:, 1, 2]
    y = (v - cy[:, None]) / fy[:, None]
    x = (u - cx[:, None] - shear[:, None] * y) / fx[:, None]
    return torch.stack([x, y, torch.ones_like(x)], dim=2)


def unproject(pixels: Tensor, camera: Tensor, height: int, width: int) -> Tensor:
    """Image -> world, the inverse of `project`.

    Args:
        pixels: (B, V, 3): x and y in pixels, depth along the camera's axis in world units.
        camera: (B, 25).
        height, width: of the image in pixels.

    Returns:
        (B, V, 3) in the world.
    """
    extrinsics, _ = unpack_camera(camera)
    local = ray_slopes(camera, pixels, height, width) * pixels[:, :, 2:]
    return local @ extrinsics[:, :3, :3].transpose(1, 2) + extrinsics[:, None, :3, 3]


def rays(camera: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The rays through the pixel centres, row by row.

    Args:
        camera: (B, 25).
        height, width: of the image in pixels.

    Returns:
        origins (B, H·W, 3) in the world, all equal to the camera's position, and directions (B, H·W, 3) of
        length 1.
    """
    extrinsics, _ = unpack_camera(camera)
    slopes = ray_slopes(camera, pixel_centres(camera, height, width), height, width)
    directions = slopes @ extrinsics[:, :3, :3].transpose(1, 2)
    directions = directions / torch.linalg.vector_norm(directions, dim=2, keepdim=True)
    return extrinsics[:, None, :3, 3].expand_as(directions), directions


def pixel_centres(like: Tensor, height: int, width: int) -> Tensor:
    """(1, H·W, 2) x and y of the pixel centres in pixels, row by row, in the type of `like`."""
    y = torch.arange(height, device=like.device, dtype=like.dtype) + 0.5
    x = torch.arange(width, device=like.device, dtype=like.dtype) + 0.5
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=2)
    return grid.reshape(1, height * width, 2)


def _rotation(radians: Tensor, first: int, second: int) -> Tensor:
    """(B,) angles -> (B, 3, 3): rotations from the axis `first` towards `second`."""
    cosine, sine = radians.cos(), radians.sin()
    one, zero = torch.ones_like(sine), torch.zeros_like(sine)
    rows = [[zero] * 3 for _ in range(3)]
    rows[3 - first - second][3 - first - second] = one
    rows[first][first] = rows[second][second] = cosine
    rows[second][first], rows[first][second] = sine, -sine
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
