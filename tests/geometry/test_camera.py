"""Cameras: the conventions, inverse functions, and known poses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from lumiface.geometry.camera import (
    FOCAL,
    RADIUS,
    camera_angles,
    camera_at,
    euler_to_matrix,
    matrix_to_euler,
    mirror_camera,
    orbit_camera,
    pack_camera,
    portrait_intrinsics,
    project,
    rays,
    unpack_camera,
    unproject,
    yaw_camera,
)
from lumiface.geometry.mesh import FaceMeshes, canonical_face
from lumiface.geometry.pose import fit_camera, fit_similarity

Find = Callable[[str], Path]
ANGLES = torch.tensor([[0.0, 0.0, 0.0], [20.0, -10.0, 5.0], [-55.0, 25.0, -12.0], [4.0, 17.0, 30.0]]).double()
SHEARED = torch.tensor([[3.1, 0.2, 0.45], [0.0, 2.8, 0.6], [0.0, 0.0, 1.0]]).double()


def cloud(points: int = 40) -> Tensor:
    """Points within a head, (V, 3) float64, not symmetric."""
    return (torch.rand(points, 3, generator=torch.Generator().manual_seed(1)).double() - 0.5) * 0.4


def projected(angles: list[float], point: list[float]) -> list[float]:
    """x, y in an image of 100x100, and depth."""
    camera = orbit_camera(torch.tensor([angles]).double())
    return project(torch.tensor([point]).double(), camera, 100, 100)[0, 0].tolist()


def test_the_camera_is_eg3ds() -> None:
    """EG3D's label of a frontal face: x kept, y and z reversed, 2.7 away on z, focal length 4.2647."""
    expected = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, RADIUS, 0, 0, 0, 1, FOCAL, 0, 0.5, 0, FOCAL, 0.5, 0, 0, 1]
    torch.testing.assert_close(orbit_camera(torch.zeros(1, 3)), torch.tensor([expected]))


def test_the_documented_directions() -> None:
    assert projected([0, 0, 0], [0, 0, 0]) == pytest.approx([50, 50, RADIUS])
    right, up, near = (
        projected([0, 0, 0], [0.1, 0, 0]),
        projected([0, 0, 0], [0, 0.1, 0]),
        projected([0, 0, 0], [0, 0, 0.1]),
    )
    assert right == pytest.approx([50 + 10 * FOCAL / RADIUS, 50, RADIUS])
    assert up[1] < 50
    assert near[2] == pytest.approx(RADIUS - 0.1)
    nose = [0.0, 0.0, 0.2]
    assert projected([20, 0, 0], nose)[0] < 50  # the camera further right: the face looks to the image's left
    assert projected([0, 20, 0], nose)[1] > 50  # higher: the face looks down
    chin = [0.0, -0.2, 0.0]
    assert (
        projected([0, 0, 20], chin)[0] < 50
    )  # tilted to the left: the face leans clockwise, its chin goes left


def test_angles_are_inverted() -> None:
    rotation = euler_to_matrix(ANGLES)
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).double().expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4).double())
    torch.testing.assert_close(matrix_to_euler(rotation), ANGLES)
    torch.testing.assert_close(camera_angles(orbit_camera(ANGLES)), ANGLES)


def test_the_angles_order_is_intrinsic_yaw_pitch_roll() -> None:
    """Against OpenCV's axis-angle rotations, multiplied."""
    yaw, pitch, roll = np.radians(ANGLES[1].numpy())
    parts = [cv2.Rodrigues(np.array(axis))[0] for axis in ((0, yaw, 0), (-pitch, 0, 0), (0, 0, roll))]
    np.testing.assert_allclose(
        euler_to_matrix(ANGLES[1:2])[0].numpy(), parts[0] @ parts[1] @ parts[2], atol=1e-12
    )


@pytest.mark.parametrize("lens", [portrait_intrinsics().double(), SHEARED], ids=["portrait", "sheared"])
def test_unproject_inverts_project_and_rays_hit_their_pixels(lens: Tensor) -> None:
    camera = orbit_camera(ANGLES, intrinsics=lens)
    points = cloud()
    pixels = project(points, camera, 12, 16)
    torch.testing.assert_close(unproject(pixels, camera, 12, 16), points.expand(4, -1, 3))
    # A point on a pixel's ray is projected to the centre of that pixel.
    origins, directions = rays(camera, 12, 16)
    assert origins.shape == directions.shape == (4, 12 * 16, 3)
    torch.testing.assert_close(torch.linalg.vector_norm(directions, dim=2), torch.ones(4, 192).double())
    again = project(origins + 2.5 * directions, camera, 12, 16)
    assert again[0, 0, :2].tolist() == pytest.approx([0.5, 0.5])
    assert again[3, 16 * 5 + 7, :2].tolist() == pytest.approx([7.5, 5.5])


def test_projection_equals_opencvs() -> None:
    camera = orbit_camera(ANGLES[2:3], intrinsics=SHEARED * torch.tensor([[1, 0, 1], [1, 1, 1], [1, 1, 1]]))
    extrinsics, lens = (part[0].numpy() for part in unpack_camera(camera))
    inverse = np.linalg.inv(extrinsics)
    in_pixels = np.diag([200, 100, 1]) @ lens
    expected, _ = cv2.projectPoints(
        cloud().numpy(), cv2.Rodrigues(inverse[:3, :3])[0], inverse[:3, 3], in_pixels, None
    )
    np.testing.assert_allclose(
        project(cloud(), camera, 100, 200)[0, :, :2].numpy(), expected[:, 0], atol=1e-9
    )


def test_the_mirrored_image_has_the_mirrored_camera() -> None:
    camera = orbit_camera(ANGLES, intrinsics=SHEARED)
    mirrored = mirror_camera(camera)
    flip = torch.tensor([-1.0, 1.0, 1.0]).double()
    output = project(cloud() * flip, mirrored, 90, 120)
    expected = project(cloud(), camera, 90, 120)
    expected[:, :, 0] = 120 - expected[:, :, 0]
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(mirror_camera(mirrored), camera)
    assert (torch.linalg.det(unpack_camera(mirrored)[0]) > 0.999).all()  # still a rotation
    signs = torch.tensor([-1.0, 1.0, -1.0]).double()
    torch.testing.assert_close(camera_angles(mirrored), ANGLES * signs)


def test_yaw_camera_changes_yaw_alone() -> None:
    camera = orbit_camera(ANGLES[:1])
    torch.testing.assert_close(yaw_camera(camera, 20.0), orbit_camera(torch.tensor([[20.0, 0, 0]]).double()))
    many = yaw_camera(orbit_camera(ANGLES), torch.tensor([10.0, -20.0, 0.0, 5.0]))
    torch.testing.assert_close(camera_angles(many)[:, 0], torch.tensor([10.0, 0.0, -55.0, 9.0]).double())
    torch.testing.assert_close(camera_angles(many)[:, 1:], ANGLES[:, 1:])
    torch.testing.assert_close(yaw_camera(many, 360.0), many)


def test_gradients_of_cameras() -> None:
    camera = orbit_camera(ANGLES[1:3], intrinsics=SHEARED).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: rays(c, 2, 3), (camera,))
    assert torch.autograd.gradcheck(
        lambda c: project(cloud(4), yaw_camera(mirror_camera(c), 9.0), 8, 8), (camera,)
    )


def test_a_camera_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        rays(torch.zeros(1, 16), 4, 4)


@pytest.mark.parametrize("reflected", [False, True])
def test_umeyamas_similarity(reflected: bool) -> None:
    """Exact for a similarity; for a mirrored cloud the best *rotation*, as SVD without the sign is not."""
    scale, shift = torch.tensor([2.5, 0.1, 1.0, 7.0]).double(), torch.arange(12.0).reshape(4, 3).double()
    rotation = euler_to_matrix(ANGLES)
    source = cloud() * torch.tensor([-1.0, 1.0, 1.0]) if reflected else cloud()
    target = scale[:, None, None] * (source @ rotation.transpose(1, 2)) + shift[:, None]
    fit = fit_similarity(cloud(), target)
    if reflected:
        torch.testing.assert_close(torch.linalg.det(fit.rotation), torch.ones(4).double())
        return
    torch.testing.assert_close(fit.scale, scale)
    torch.testing.assert_close(fit.rotation, rotation)
    torch.testing.assert_close(fit.translation, shift)
    torch.testing.assert_close(fit(cloud()), target)


def test_a_point_of_weight_0_does_not_count() -> None:
    target = cloud() * 3.0 + 1.0
    target[0] = 1000.0
    weights = torch.ones(40)
    weights[0] = 0.0
    torch.testing.assert_close(
        fit_similarity(cloud(), target[None], weights).scale, torch.tensor([3.0]).double()
    )


@pytest.mark.parametrize("size", [256, (192, 256)], ids=["square", "wide"])
def test_a_known_pose_is_recovered(size: int | tuple[int, int], shared_asset: Find) -> None:
    face = canonical_face(shared_asset("canonical_face_model.obj")).vertices
    height, width = (size, size) if isinstance(size, int) else size
    lens = portrait_intrinsics(3.0)
    camera = orbit_camera(ANGLES.float(), 2.4, lens)
    camera[:, 3] += 0.05  # not straight at the origin
    points = project(face, camera, height, width)
    relative = points.clone()  # as predicted by a network: depth in pixels, from an unknown zero on
    relative[:, :, 2] = (points[:, :, 2] - 2.4) * 3.0 * width / 2.4
    fit = fit_camera(relative, face, size, lens)
    assert (camera_angles(fit.camera) - ANGLES).abs().max() < 0.01  # degrees
    assert fit.error.max() < 0.01  # pixels
    torch.testing.assert_close(fit.camera, camera, atol=1e-3, rtol=0)
    assert (fit.weak_error > fit.error).all()  # perspective is not weak at this distance


def test_noise_moves_the_pose_little(shared_asset: Find) -> None:
    face = canonical_face(shared_asset("canonical_face_model.obj")).vertices
    camera = orbit_camera(ANGLES[:3].float())
    points = project(face, camera, 256, 256)
    points[:, :, 2] = (points[:, :, 2] - RADIUS) * FOCAL * 256 / RADIUS
    noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
    fit = fit_camera(points + noise, face, 256)
    assert (camera_angles(fit.camera) - ANGLES[:3]).abs().max() < 1.0
    assert fit.error.mean() == pytest.approx(
        (np.pi / 2) ** 0.5, rel=0.05
    )  # the mean of |N(0, 1)²| in a plane


def test_an_outlier_can_be_excluded_by_its_weight() -> None:
    camera = orbit_camera(ANGLES[:2])
    points = project(cloud(), camera, 256, 256)
    points[:, :, 2] *= FOCAL * 256 / RADIUS
    points[1, 7] += 300.0
    weights = torch.ones(2, 40)
    weights[1, 7] = 0.0
    error = camera_angles(fit_camera(points, cloud(), 256).camera) - ANGLES[:2]
    assert error[0].abs().max() < 0.01
    assert error[1].abs().max() > 1.0
    torch.testing.assert_close(
        fit_camera(points, cloud(), 256, weights=weights).camera, camera, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_degenerate_landmarks_are_named(value: float) -> None:
    points = torch.stack([cloud() * 100, torch.full((40, 3), value).double()])
    with pytest.raises(ValueError, match=r"faces \[1\]"):
        fit_camera(points, cloud(), 256)


def test_poses_of_real_faces_equal_opencvs(shared_asset: Find, shared_data: Find) -> None:
    face = canonical_face(shared_asset("canonical_face_model.obj")).vertices
    points = FaceMeshes.read(shared_data("faces256-val-mesh468.npz")).stack()[:8]
    fit = fit_camera(points, face, 256)
    lens = portrait_intrinsics().double().numpy() * np.array([[256], [256], [1]])
    for camera, mesh, error in zip(fit.camera, points, fit.error, strict=True):
        start = np.linalg.inv(camera.reshape(-1)[:16].reshape(4, 4).double().numpy())
        _, rotation, translation = cv2.solvePnP(
            face.double().numpy(),
            mesh[:, :2].double().numpy(),
            lens,
            None,
            cv2.Rodrigues(start[:3, :3])[0] * 0.9,
            start[:3, 3:] * 1.1,
            useExtrinsicGuess=True,
        )
        back = torch.from_numpy(cv2.Rodrigues(rotation)[0].T)[None]
        expected = camera_at(back, -(back @ torch.from_numpy(translation))[:, :, 0])
        assert (camera_angles(expected) - camera_angles(camera[None])).abs().max() < 0.05
        distance = project(face.double(), expected, 256, 256)[0, :, :2] - mesh[:, :2]
        assert float(error) == pytest.approx(
            float(torch.linalg.vector_norm(distance, dim=1).mean()), abs=0.01
        )
    assert fit.error.mean() < 5.0
    assert (torch.linalg.vector_norm(fit.camera[:, [3, 7, 11]], dim=1) - RADIUS).abs().max() < 0.3


def test_unpacking_inverts_packing() -> None:
    extrinsics, lens = torch.rand(2, 4, 4), torch.rand(2, 3, 3)
    again = unpack_camera(pack_camera(extrinsics, lens))
    assert torch.equal(again[0], extrinsics)
    assert torch.equal(again[1], lens)
