"""Depth of photographed faces, and how well two depth maps agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lumiface.geometry.camera import FOCAL, RADIUS, orbit_camera, project, rays, yaw_camera
from lumiface.geometry.depth import depth_along_rays, face_depth, face_surface
from lumiface.geometry.mesh import FaceMeshes, Mesh, canonical_face
from lumiface.geometry.pose import fit_camera
from lumiface.geometry.rasterise import rasterise
from lumiface.metrics import depth_correlation

Find = Callable[[str], Path]


@pytest.fixture
def face(shared_asset: Find) -> Mesh:
    return canonical_face(shared_asset("canonical_face_model.obj"))


def as_predicted(face: Mesh, camera: torch.Tensor) -> torch.Tensor:
    """Landmarks as of a network: z in pixels, of arbitrary origin, 10 % too deep."""
    points = project(face.vertices, camera, 256, 256)
    points[:, :, 2] = (points[:, :, 2] - RADIUS) * FOCAL * 256 / RADIUS * 1.1 - 7.0
    return points


@pytest.mark.parametrize("size", [None, (128, 128), (64, 96)])
def test_the_depth_of_the_canonical_face_is_recovered(face: Mesh, size: tuple[int, int] | None) -> None:
    camera = orbit_camera(torch.tensor([[0.0, 0.0, 0.0], [-20.0, 10.0, 3.0]]))
    target = face_depth(as_predicted(face, camera), camera, face, 256, size)
    height, width = size or (256, 256)
    raster = rasterise(project(face.vertices, camera, height, width), face.triangles, height, width)
    assert torch.equal(target.mask, raster.mask)
    torch.testing.assert_close(target.depth, depth_along_rays(raster.depth, camera), atol=1e-4, rtol=0)
    assert (target.depth[~target.mask] == 0).all()
    surface = face_surface(as_predicted(face, camera), camera, face, 256)
    torch.testing.assert_close(surface, face.vertices.expand(2, -1, -1), atol=1e-4, rtol=0)


def test_distance_along_the_ray_ends_on_the_surface() -> None:
    """A plane perpendicular to the axis at depth 2: 2 along the axis, more along the rays of the corners."""
    camera = orbit_camera(torch.tensor([[25.0, -5.0, 10.0]]).double(), intrinsics=torch.eye(3))
    distance = depth_along_rays(torch.full((1, 6, 8), 2.0).double(), camera)
    origins, directions = rays(camera, 6, 8)
    ends = project(origins + distance.reshape(1, -1, 1) * directions, camera, 6, 8)
    torch.testing.assert_close(ends[:, :, 2], torch.full((1, 48), 2.0).double())
    assert distance[0, 5, 7] > distance[0, 1, 1] > 2.0


def test_depth_of_real_faces_is_plausible(face: Mesh, shared_data: Find) -> None:
    points = FaceMeshes.read(shared_data("faces256-val-mesh468.npz")).stack()[:6]
    camera = fit_camera(points, face.vertices, 256).camera
    target = face_depth(points, camera, face, 256, (128, 128))
    assert ((target.mask.float().mean(dim=(1, 2)) - 0.27).abs() < 0.1).all()
    for number in range(6):
        depth = target.depth[number].masked_fill(~target.mask[number], torch.inf)
        row, column = divmod(int(depth.argmin()), 128)
        nose = points[number, 4, :2] / 2
        assert np.hypot(column + 0.5 - float(nose[0]), row + 0.5 - float(nose[1])) < 8  # the nose is nearest
        deep = target.depth[number][target.mask[number]]
        assert 0.1 < deep.max() - deep.min() < 0.4  # 4 to 17 cm
    # The face's surface resembles the canonical one, from the image's camera and from the side.
    for view in (camera, yaw_camera(camera, 20.0)):
        own = rasterise(
            project(face_surface(points, camera, face, 256), view, 128, 128), face.triangles, 128, 128
        )
        canonical = rasterise(project(face.vertices, view, 128, 128), face.triangles, 128, 128)
        assert depth_correlation(own.depth, canonical.depth, own.mask & canonical.mask).min() > 0.9


def test_landmarks_of_inverted_depth_are_refused(face: Mesh) -> None:
    camera = orbit_camera(torch.zeros(2, 3))
    points = as_predicted(face, camera)
    points[1, :, 2] *= -1
    with pytest.raises(ValueError, match=r"faces \[1\] is inverted"):
        face_depth(points, camera, face, 256)


def test_correlation_equals_numpys() -> None:
    generator = torch.Generator().manual_seed(3)
    predicted, target = torch.rand(2, 4, 9, 7, generator=generator)
    mask = torch.rand(4, 9, 7, generator=generator) > 0.4
    output = depth_correlation(predicted, target, mask)
    assert output.dtype == torch.float64
    for row in range(4):
        inside = mask[row].numpy()
        expected = np.corrcoef(predicted[row].numpy()[inside], target[row].numpy()[inside])[0, 1]
        assert output[row].item() == pytest.approx(expected, abs=1e-6)


def test_correlation_ignores_scale_and_offset() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 64, 64)
    everywhere = torch.ones(1, 64, 64, dtype=torch.bool)
    assert depth_correlation(ramp**2, ramp, everywhere).item() == pytest.approx(
        0.967, abs=5e-4
    )  # the docstring's
    assert depth_correlation(5 * ramp + 2.7, ramp, everywhere).item() == pytest.approx(1)
    assert depth_correlation(1 / (ramp + 1), -ramp, everywhere) > 0.9
    assert depth_correlation(-ramp, ramp, everywhere).item() == pytest.approx(-1)
    holes = ramp.clone()
    holes[:, :8] = torch.nan  # pixels outside the mask are ignored
    assert depth_correlation(holes, ramp, holes.isfinite()).item() == pytest.approx(1)
    for empty in (torch.zeros_like(everywhere), everywhere & (torch.arange(64 * 64).reshape(64, 64) == 5)):
        assert depth_correlation(ramp, ramp, empty).isnan()
    assert depth_correlation(torch.full_like(ramp, 0.1), ramp, everywhere).isnan()
    with pytest.raises(ValueError, match="must all be"):
        depth_correlation(ramp[:, None], ramp, everywhere)
