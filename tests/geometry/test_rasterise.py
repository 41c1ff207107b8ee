"""The z-buffer against shapes of known depth, and against triangles computed by hand."""

from __future__ import annotations

import math
import time

import pytest
import torch
from torch import Tensor

from lumiface.geometry import rasterise as module
from lumiface.geometry.camera import orbit_camera, project, ray_slopes, rays
from lumiface.geometry.rasterise import interpolate, rasterise

ONE = torch.tensor([[0, 1, 2]])


def corners(*rows: tuple[float, float, float]) -> Tensor:
    return torch.tensor([rows], dtype=torch.float64)


def fan(sides: int, wobble: float = 0.0) -> tuple[Tensor, Tensor]:
    """A disc of triangles around (8.3, 7.9), radius 6.7, depth 2: (1, sides + 1, 3) and the triangles."""
    angle = torch.arange(sides).double() / sides * 2 * math.pi + wobble
    rim = torch.stack([8.3 + 6.7 * angle.cos(), 7.9 + 6.7 * angle.sin(), torch.full_like(angle, 2.0)], dim=1)
    middle = torch.tensor([[8.3, 7.9, 2.0]]).double()
    follow = torch.arange(sides)
    triangles = torch.stack([torch.zeros_like(follow), follow + 1, (follow + 1) % sides + 1], dim=1)
    return torch.cat([middle, rim])[None], triangles


def test_one_triangle_by_hand() -> None:
    """Right angle at (1, 1), legs of 4: the centres (1.5, 1.5) … that x + y <= 6 holds for are inside."""
    raster = rasterise(corners((1, 1, 1), (5, 1, 2), (1, 5, 3)), ONE, 6, 7, perspective=False)
    expected = torch.zeros(6, 7, dtype=torch.bool)
    for row in range(1, 5):
        expected[row, 1 : 6 - row] = True  # the hypotenuse goes through centres, which count as inside
    assert torch.equal(raster.mask[0], expected)
    assert raster.triangle[0, 0, 0] == -1
    assert raster.depth[0, 0, 0] == 0
    # At (2.5, 1.5): shares 1 - 1.5/4 - 0.5/4, 1.5/4, 0.5/4.
    assert raster.barycentric[0, 1, 2].tolist() == pytest.approx([0.5, 0.375, 0.125])
    assert raster.depth[0, 1, 2].item() == pytest.approx(0.5 + 2 * 0.375 + 3 * 0.125)


def test_depth_is_harmonic_in_perspective() -> None:
    """Half way in the image between depths 1 and 3 lies 2 / (1/1 + 1/3) = 1.5, a quarter along the edge."""
    raster = rasterise(corners((0.5, 0.5, 1), (4.5, 0.5, 3), (0.5, 4.5, 1)), ONE, 5, 5)
    assert raster.depth[0, 0, 2].item() == pytest.approx(1.5)
    assert raster.barycentric[0, 0, 2].tolist() == pytest.approx([0.75, 0.25, 0.0])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_winding_does_not_matter(order: list[int], dtype: torch.dtype) -> None:
    vertices = corners((1.2, 0.7, 1), (5.9, 2.1, 2), (2.2, 5.6, 3))
    reference = rasterise(vertices, ONE, 7, 7)
    raster = rasterise(vertices.to(dtype), torch.tensor([order]), 7, 7)
    assert raster.depth.dtype == dtype
    assert torch.equal(raster.mask, reference.mask)
    torch.testing.assert_close(raster.depth, reference.depth.to(dtype))


def test_the_nearest_triangle_is_visible_whatever_the_order() -> None:
    vertices = corners((0, 0, 5), (9, 0, 5), (0, 9, 5), (0, 0, 4), (5, 0, 4), (0, 5, 4))
    far, near = [0, 1, 2], [3, 4, 5]
    for triangles, front in (([far, near], 1), ([near, far], 0)):
        raster = rasterise(vertices, torch.tensor(triangles), 9, 9)
        assert raster.triangle[0, 1, 1] == front
        assert raster.depth[0, 1, 1] == pytest.approx(4)
        assert raster.triangle[0, 1, 6] == 1 - front
        assert raster.depth[0, 1, 6] == pytest.approx(5)
    # Two intersecting triangles: depths x and 6 - x are equal at x = 3.
    vertices = corners((0, 0, 0), (6, 0, 6), (0, 9, 0), (0, 0, 6), (6, 0, 0), (0, 9, 6))
    raster = rasterise(vertices, torch.tensor([far, near]), 9, 6, perspective=False)
    assert raster.triangle[0, 0].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("sides", [3, 7, 64, 1000])
def test_neighbours_leave_no_gap_and_no_overlap(sides: int) -> None:
    """A disc of slivers covers the pixels whose centre is in its rim, each once."""
    vertices, triangles = fan(sides, 0.3)
    raster = rasterise(vertices.float(), triangles, 16, 16)
    y, x = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="ij")
    radius = ((x - 8.3).square() + (y - 7.9).square()).sqrt()
    inner = radius < 6.7 * math.cos(math.pi / sides)
    assert raster.mask[0][inner].all()
    assert not raster.mask[0][radius > 6.7].any()
    torch.testing.assert_close(raster.depth[raster.mask], torch.full_like(raster.depth[raster.mask], 2.0))
    torch.testing.assert_close(raster.barycentric.sum(dim=3), raster.mask.float())
    # A centre on the common edge of two belongs to the first.
    square = corners((0, 0, 1), (4, 0, 1), (4, 4, 1), (0, 4, 1))
    raster = rasterise(square, torch.tensor([[0, 1, 2], [0, 2, 3]]), 4, 4)
    assert raster.mask.all()
    assert (raster.triangle[0].diagonal() == 0).all()


def test_the_depth_of_a_plane() -> None:
    """n·X = 0 is met on the ray o + t d at t = -n·o / n·d; the depth is t d along the camera's axis."""
    camera = orbit_camera(torch.tensor([[15.0, -10.0, 5.0], [-30.0, 5.0, 0.0]]).double())
    plane = torch.tensor([[-0.4, -0.4], [0.4, -0.4], [0.4, 0.4], [-0.4, 0.4]]).double()
    world = torch.cat([plane, 0.3 * plane[:, :1] + 0.1 * plane[:, 1:]], dim=1)  # z = 0.3 x + 0.1 y
    raster = rasterise(project(world, camera, 40, 50), torch.tensor([[0, 1, 2], [0, 2, 3]]), 40, 50)
    assert raster.mask.float().mean() > 0.5
    origins, directions = rays(camera, 40, 50)
    normal = torch.tensor([-0.3, -0.1, 1.0]).double()
    distance = -(origins @ normal) / (directions @ normal)
    axis = torch.linalg.inv(camera[:, :16].reshape(-1, 4, 4))[:, 2, :3]
    depth = (distance * (directions @ axis[:, :, None])[:, :, 0]).reshape(2, 40, 50)
    torch.testing.assert_close(raster.depth[raster.mask], depth[raster.mask])
    # Vertex attributes are interpolated in the same way: here the positions in the world.
    positions = interpolate(raster, torch.tensor([[0, 1, 2], [0, 2, 3]]), world.expand(2, -1, -1))
    there = origins + distance[:, :, None] * directions
    torch.testing.assert_close(positions[raster.mask], there.reshape(2, 40, 50, 3)[raster.mask])


def sphere(steps: int) -> tuple[Tensor, Tensor]:
    """The unit sphere by longitude and latitude: (V, 3) float64 and triangles."""
    around = torch.arange(2 * steps).double() * math.pi / steps
    down = torch.arange(steps + 1).double() * math.pi / steps
    latitude, longitude = torch.meshgrid(down, around, indexing="ij")
    x, y = latitude.sin() * longitude.cos(), latitude.sin() * longitude.sin()
    vertices = torch.stack([x, y, latitude.cos()], dim=2).reshape(-1, 3)
    row, column = torch.meshgrid(torch.arange(steps), torch.arange(2 * steps), indexing="ij")
    a, b = row * 2 * steps + column, row * 2 * steps + (column + 1) % (2 * steps)
    quads = torch.stack([a, b, b + 2 * steps, a, b + 2 * steps, a + 2 * steps], dim=2)
    return vertices, quads.reshape(-1, 3)


def test_the_depth_of_a_sphere() -> None:
    """Its depth, its outline and the hidden back: |o + t d| = r, the smaller root."""
    vertices, triangles = sphere(120)
    camera = orbit_camera(torch.tensor([[40.0, 20.0, 0.0]]).double())
    raster = rasterise(project(0.25 * vertices, camera, 48, 48), triangles, 48, 48)
    origins, directions = rays(camera, 48, 48)
    b = (origins * directions).sum(dim=2)
    square = b.square() - origins.square().sum(dim=2) + 0.25**2
    hit = (square > 0).reshape(1, 48, 48)
    assert (raster.mask != hit).sum() <= 8  # the polyhedron lies a little inside
    assert hit.sum() > 900
    slopes = ray_slopes(
        camera,
        torch.stack(
            torch.meshgrid(
                torch.arange(48.0).double() + 0.5, torch.arange(48.0).double() + 0.5, indexing="xy"
            ),
            dim=2,
        ).reshape(1, -1, 2),
        48,
        48,
    )
    depth = ((-b - square.clamp(min=0).sqrt()) / torch.linalg.vector_norm(slopes, dim=2)).reshape(1, 48, 48)
    well_inside = (square > 0.25**2 * 0.1).reshape(1, 48, 48)
    assert (raster.depth - depth)[well_inside].abs().max() < 3e-4


def test_gradients_of_depth() -> None:
    vertices = corners((0.2, 0.3, 1.5), (3.9, 0.1, 2.5), (0.4, 3.8, 2.0), (3.7, 3.9, 1.2))
    triangles = torch.tensor([[0, 1, 2], [1, 3, 2]])
    for perspective in (True, False):
        assert torch.autograd.gradcheck(
            lambda v, p=perspective: rasterise(v, triangles, 4, 4, perspective=p).depth,
            (vertices.requires_grad_(),),
        )


def test_invalid_triangles_are_skipped() -> None:
    valid = [(0, 0, 1), (9, 0, 1), (0, 9, 1)]
    behind, gone = [(0, 0, -1), (9, 0, 1), (0, 9, 1)], [(0, 0, 1), (math.nan, 0, 1), (0, math.inf, 1)]
    flat, outside = [(0, 0, 1), (4, 4, 1), (8, 8, 1)], [(-9, -9, 1), (-1, -9, 1), (-9, -1, 1)]
    far_right = [(19, 0, 1), (30, 0, 1), (19, 9, 1)]
    for invalid in (behind, gone, flat, outside, far_right):
        vertices = corners(*invalid, *valid)
        raster = rasterise(vertices, torch.tensor([[0, 1, 2]]), 9, 9)
        assert not raster.mask.any()
        assert (raster.depth == 0).all()
        raster = rasterise(vertices, torch.tensor([[0, 1, 2], [3, 4, 5]]), 9, 9)
        assert raster.triangle[0, 2, 2] == 1
        assert raster.depth.isfinite().all()
    assert rasterise(corners(*behind), ONE, 9, 9, perspective=False).mask.any()
    assert not rasterise(corners(*valid), torch.zeros(0, 3, dtype=torch.long), 4, 5).mask.any()
    assert rasterise(torch.zeros(0, 3, 3), ONE, 4, 5).depth.shape == (0, 4, 5)


def test_batches_and_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices, triangles = sphere(12)
    camera = orbit_camera(torch.tensor([[0.0, 0, 0], [30.0, 10, 0], [-60.0, 0, 20]]).double())
    vertices_2d = project(0.3 * vertices, camera, 24, 32)
    batch = rasterise(vertices_2d, triangles, 24, 32)
    for row in range(3):
        single = rasterise(vertices_2d[row : row + 1], triangles, 24, 32)
        assert torch.equal(batch.triangle[row], single.triangle[0])
        assert torch.equal(batch.depth[row], single.depth[0])
    monkeypatch.setattr(module, "_CHUNK", 50)
    in_chunks = rasterise(vertices_2d, triangles, 24, 32)
    assert torch.equal(batch.triangle, in_chunks.triangle)
    assert torch.equal(batch.depth, in_chunks.depth)


@pytest.mark.parametrize(
    ("vertices", "triangles"),
    [
        (torch.zeros(3, 3), ONE),
        (torch.zeros(1, 3, 3), torch.tensor([[0, 1, 3]])),
        (torch.zeros(1, 3, 2), ONE),
    ],
)
def test_wrong_shapes_are_refused(vertices: Tensor, triangles: Tensor) -> None:
    with pytest.raises(ValueError, match="triangle"):
        rasterise(vertices, triangles, 4, 4)


def test_a_face_is_rasterised_within_the_time_limit() -> None:
    """With the triangles and pixels of a face: 20 ms on one core; the limit is 200."""
    vertices, triangles = sphere(15)  # 900 triangles
    vertices_2d = project(0.24 * vertices, orbit_camera(torch.zeros(1, 3).double()), 256, 256).float()
    took: list[float] = []
    for _ in range(5):
        start = time.process_time()
        raster = rasterise(vertices_2d, triangles, 256, 256)
        took.append(time.process_time() - start)
    assert raster.mask.float().mean() > 0.4
    assert min(took) < 0.2
