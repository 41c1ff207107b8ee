"""Cameras: the conventions, there and back again, and poses that are known beforehand."""

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
    """Points in a head's place, (V, 3) float64, not symmetric."""
    return (torch.rand(points, 3, generator=torch.Generator().manual_seed(1)).double() - 0.5) * 0.4


def seen(angles: list[float], point: list[float]) -> list[float]:
    """x, y in a picture of 100x100, and depth."""
    camera = orbit_camera(torch.tensor([angles]).double())
    return project(torch.tensor([point]).double(), camera, 100, 100)[0, 0].tolist()


def test_the_camera_is_egs_own() -> None:
    """EG3D's label of a frontal face: x kept, y and z turned round, 2.7 away on z, focal length 4.2647."""
    expected = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, RADIUS, 0, 0, 0, 1, FOCAL, 0, 0.5, 0, FOCAL, 0.5, 0, 0, 1]
    torch.testing.assert_close(orbit_camera(torch.zeros(1, 3)), torch.tensor([expected]))


def test_what_the_words_say_about_directions() -> None:
    assert seen([0, 0, 0], [0, 0, 0]) == pytest.approx([50, 50, RADIUS])
    right, up, near = seen([0, 0, 0], [0.1, 0, 0]), seen([0, 0, 0], [0, 0.1, 0]), seen([0, 0, 0], [0, 0, 0.1])
    assert right == pytest.approx([50 + 10 * FOCAL / RADIUS, 50, RADIUS])
    assert up[1] < 50
    assert near[2] == pytest.approx(RADIUS - 0.1)
    nose = [0.0, 0.0, 0.2]
    assert seen([20, 0, 0], nose)[0] < 50  # the camera further right: the face turns to the picture's left
    assert seen([0, 20, 0], nose)[1] > 50  # higher: the face looks down
    chin = [0.0, -0.2, 0.0]
    assert seen([0, 0, 20], chin)[0] < 50  # tilted to the left: the face leans clockwise, its chin goes left


def test_angles_there_and_back() -> None:
    rotation = euler_to_matrix(ANGLES)
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).double().expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4).double())
    torch.testing.assert_close(matrix_to_euler(rotation), ANGLES)
    torch.testing.assert_close(camera_angles(orbit_camera(ANGLES)), ANGLES)


def test_the_angles_order_is_intrinsic_yaw_pitch_roll() -> None:
    """Against OpenCV's axis-angle rotations, put together by hand."""
    yaw, pitch, roll = np.radians(ANGLES[1].numpy())
    parts = [cv2.Rodrigues(np.array(axis))[0] for axis in ((0, yaw, 0), (-pitch, 0, 0), (0, 0, roll))]
    np.testing.assert_allclose(
        euler_to_matrix(ANGLES[1:2])[0].numpy(), parts[0] @ parts[1] @ parts[2], atol=1e-12
    )


@pytest.mark.parametrize("lens", [portrait_intrinsics().double(), SHEARED], ids=["portrait", "sheared"])
def test_there_and_back_and_along_the_rays(lens: Tensor) -> None:
    camera = orbit_camera(ANGLES, intrinsics=lens)
    points = cloud()
    pixels = project(points, camera, 12, 16)
    torch.testing.assert_close(unproject(pixels, camera, 12, 16), points.expand(4, -1, 3))
    # A point on a pixel's ray is seen in the middle of that pixel.
    origins, directions = rays(camera, 12, 16)
    assert origins.shape == directions.shape == (4, 12 * 16, 3)
    torch.testing.assert_close(torch.linalg.vector_norm(directions, dim=2), torch.ones(4, 192).double())
    again = project(origins + 2.5 * directions, camera, 12, 16)
    assert again[0, 0, :2].tolist() == pytest.approx([0.5, 0.5])
    assert again[3, 16 * 5 + 7, :2].tolist() == pytest.approx([7.5, 5.5])


def test_projection_is_opencvs() -> None:
    camera = orbit_camera(ANGLES[2:3], intrinsics=SHEARED * torch.tensor([[1, 0, 1], [1, 1, 1], [1, 1, 1]]))
    extrinsics, lens = (part[0].numpy() for part in unpack_camera(camera))
    inverse = np.linalg.inv(extrinsics)
    in_pixels = np.diag([200, 100, 1]) @ lens
    theirs, _ = cv2.projectPoints(
        cloud().numpy(), cv2.Rodrigues(inverse[:3, :3])[0], inverse[:3, 3], in_pixels, None
    )
    np.testing.assert_allclose(project(cloud(), camera, 100, 200)[0, :, :2].numpy(), theirs[:, 0], atol=1e-9)


def test_the_mirrored_picture_has_the_mirrored_camera() -> None:
    camera = orbit_camera(ANGLES, intrinsics=SHEARED)
    mirrored = mirror_camera(camera)
    flip = torch.tensor([-1.0, 1.0, 1.0]).double()
    ours = project(cloud() * flip, mirrored, 90, 120)
    expected = project(cloud(), camera, 90, 120)
    expected[:, :, 0] = 120 - expected[:, :, 0]
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(mirror_camera(mirrored), camera)
    assert (torch.linalg.det(unpack_camera(mirrored)[0]) > 0.999).all()  # still a rotation
    signs = torch.tensor([-1.0, 1.0, -1.0]).double()
    torch.testing.assert_close(camera_angles(mirrored), ANGLES * signs)


def test_walking_around_the_head() -> None:
    camera = orbit_camera(ANGLES[:1])
    torch.testing.assert_close(yaw_camera(camera, 20.0), orbit_camera(torch.tensor([[20.0, 0, 0]]).double()))
    many = yaw_camera(orbit_camera(ANGLES), torch.tensor([10.0, -20.0, 0.0, 5.0]))
    torch.testing.assert_close(camera_angles(many)[:, 0], torch.tensor([10.0, 0.0, -55.0, 9.0]).double())
    torch.testing.assert_close(camera_angles(many)[:, 1:], ANGLES[:, 1:])
    torch.testing.assert_close(yaw_camera(many, 360.0), many)


def test_cameras_can_be_learnt() -> None:
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
def test_a_known_pose_is_found_again(size: int | tuple[int, int], shared_asset: Find) -> None:
    face = canonical_face(shared_asset("canonical_face_model.obj")).vertices
    height, width = (size, size) if isinstance(size, int) else size
    lens = portrait_intrinsics(3.0)
    camera = orbit_camera(ANGLES.float(), 2.4, lens)
    camera[:, 3] += 0.05  # not straight at the origin
    points = project(face, camera, height, width)
    relative = points.clone()  # as a network gives it: depth in pixels, from an unknown zero on
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


def test_a_hidden_point_can_be_left_out_of_the_pose() -> None:
    camera = orbit_camera(ANGLES[:2])
    points = project(cloud(), camera, 256, 256)
    points[:, :, 2] *= FOCAL * 256 / RADIUS
    points[1, 7] += 300.0
    weights = torch.ones(2, 40)
    weights[1, 7] = 0.0
    misled = camera_angles(fit_camera(points, cloud(), 256).camera) - ANGLES[:2]
    assert misled[0].abs().max() < 0.01
    assert misled[1].abs().max() > 1.0
    torch.testing.assert_close(
        fit_camera(points, cloud(), 256, weights=weights).camera, camera, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_points_that_are_no_face_are_named(value: float) -> None:
    points = torch.stack([cloud() * 100, torch.full((40, 3), value).double()])
    with pytest.raises(ValueError, match=r"faces \[1\]"):
        fit_camera(points, cloud(), 256)


def test_real_faces_as_opencv_places_them(shared_asset: Find, shared_data: Find) -> None:
    face = canonical_face(shared_asset("canonical_face_model.obj")).vertices
    points = FaceMeshes.read(shared_data("faces256-val-mesh468.npz")).stack()[:8]
    fit = fit_camera(points, face, 256)
    lens = portrait_intrinsics().double().numpy() * np.array([[256], [256], [1]])
    for camera, mesh, error in zip(fit.camera, points, fit.error, strict=True):
        start = np.linalg.inv(camera.reshape(-1)[:16].reshape(4, 4).double().numpy())
        _, turn, shift = cv2.solvePnP(
            face.double().numpy(),
            mesh[:, :2].double().numpy(),
            lens,
            None,
            cv2.Rodrigues(start[:3, :3])[0] * 0.9,
            start[:3, 3:] * 1.1,
            useExtrinsicGuess=True,
        )
        back = torch.from_numpy(cv2.Rodrigues(turn)[0].T)[None]
        theirs = camera_at(back, -(back @ torch.from_numpy(shift))[:, :, 0])
        assert (camera_angles(theirs) - camera_angles(camera[None])).abs().max() < 0.05
        distance = project(face.double(), theirs, 256, 256)[0, :, :2] - mesh[:, :2]
        assert float(error) == pytest.approx(
            float(torch.linalg.vector_norm(distance, dim=1).mean()), abs=0.01
        )
    assert fit.error.mean() < 5.0
    assert (torch.linalg.vector_norm(fit.camera[:, [3, 7, 11]], dim=1) - RADIUS).abs().max() < 0.3


def test_packing_and_unpacking() -> None:
    extrinsics, lens = torch.rand(2, 4, 4), torch.rand(2, 3, 3)
    again = unpack_camera(pack_camera(extrinsics, lens))
    assert torch.equal(again[0], extrinsics)
    assert torch.equal(again[1], lens)
