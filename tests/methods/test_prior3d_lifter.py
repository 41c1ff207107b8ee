"""The lifter: its shapes, the back-projection, and that it learns a face."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import Find, rand
from lumiface import losses
from lumiface.geometry.camera import mirror_camera, orbit_camera, project
from lumiface.methods.prior3d.lifter import FACE_DEPTH, Lifter, LifterConfig, backproject_to_plane
from lumiface.methods.prior3d.lifter_recipe import LifterRecipe, LifterRecipeConfig
from lumiface.methods.prior3d.render import RenderConfig
from lumiface.methods.prior3d.triplane import TriPlaneConfig

SMALL = LifterConfig(
    planes=TriPlaneConfig(channels=8, side=32, hidden=16),
    widths=(16, 32),
    render=RenderConfig(coarse=12, fine=12),
)


def small_lifter(seed: int = 0) -> Lifter:
    torch.manual_seed(seed)
    return Lifter(SMALL)


def test_an_image_of_any_size_becomes_three_planes() -> None:
    lifter, camera = small_lifter(), orbit_camera(torch.zeros(2, 3))
    for size in ((64, 64), (37, 50)):
        assert lifter(rand(2, 3, *size), camera).shape == (2, 3, 8, 32, 32)


def test_single_and_batch_are_equal() -> None:
    lifter, images = small_lifter().eval(), rand(3, 3, 48, 48)
    cameras = orbit_camera(torch.tensor([[0.0, 0.0, 0.0], [10.0, 5.0, 0.0], [-20.0, 0.0, 4.0]]))
    batch = lifter(images, cameras)
    for row in range(3):
        single = lifter(images[row : row + 1], cameras[row : row + 1])
        torch.testing.assert_close(single, batch[row : row + 1], atol=1e-5, rtol=1e-4)


def test_back_projection_inverts_the_camera() -> None:
    # A bright dot in the world, seen by a rotated camera, returns to its own position on the plane.
    camera = orbit_camera(torch.tensor([[15.0, -8.0, 3.0]]))
    point = torch.tensor([[0.1, -0.12, FACE_DEPTH]])
    x, y, _ = project(point, camera, 128, 128)[0, 0].tolist()
    rows, columns = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    image = torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8.0).expand(1, 3, 128, 128)
    projected = backproject_to_plane(image, camera, 100, half_side=0.4)
    assert projected.shape == (1, 4, 100, 100)
    row, column = divmod(int(projected[0, 0].argmax()), 100)
    step = 0.8 / 100
    assert (column + 0.5) * step - 0.4 == pytest.approx(0.1, abs=step)
    assert 0.4 - (row + 0.5) * step == pytest.approx(-0.12, abs=step)
    assert projected[0, 3, 0, 0] == 0  # the plane extends beyond the image
    assert projected[0, 3, 50, 50] == 1


def face_batch(astronaut: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A face, its camera, and the depth of a ball instead of its own."""
    image = F.interpolate(astronaut[..., :256, 110:366], size=(64, 64), mode="area")
    rows, columns = torch.meshgrid(torch.arange(64.0) - 31.5, torch.arange(64.0) - 31.5, indexing="ij")
    relief = 1.0 - (rows**2 + columns**2) / 20.0**2
    mask = (relief > 0)[None, None]
    depth = (2.65 - 0.15 * relief.clamp_min(0).sqrt())[None, None] * mask
    return image, orbit_camera(torch.zeros(1, 3)), depth, mask


@pytest.mark.parametrize("perceptual", [0.0, 0.05])
def test_it_learns_a_face_and_its_depth(astronaut: Tensor, shared_asset: Find, perceptual: float) -> None:
    if perceptual:
        shared_asset("vgg_normalised_conv3_1.pth")
    image, camera, depth, mask = face_batch(astronaut)
    lifter = small_lifter()
    settings = LifterRecipeConfig(
        side=64, stride=2, mirror_stride=4, perceptual=perceptual, mirror=0.1, depth=10.0
    )
    recipe = LifterRecipe(settings, seed=0)
    optimizer = torch.optim.Adam(lifter.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(80):
        terms = recipe(lifter, lifter(image, camera), image, camera, depth, mask, generator)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        rendering = lifter.render(lifter(image, camera), camera, 64)
    assert F.mse_loss(rendering.colour, image) < 0.02  # its variance is 0.08
    assert torch.corrcoef(torch.stack([rendering.depth[mask], depth[mask]]))[0, 1] > 0.9


def test_the_mirror_loss_is_0_for_symmetric_planes(astronaut: Tensor) -> None:
    # Symmetric planes give the mirrored rendering from the mirrored camera.
    _, _, depth, mask = face_batch(astronaut)
    camera = orbit_camera(torch.tensor([[20.0, 5.0, 0.0]]))
    lifter = small_lifter()
    planes = torch.randn(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))
    planes[:, :2] = planes[:, :2] + planes[:, :2].flip(-1)  # xy and xz: x -> -x; zy has no x
    with torch.no_grad():
        one = lifter.render(planes, camera, 32).colour
        other = lifter.render(planes, mirror_camera(camera), 32).colour
        torch.testing.assert_close(one, other.flip(-1), atol=1e-4, rtol=1e-3)
        recipe = LifterRecipe(LifterRecipeConfig(side=64, perceptual=0.0), seed=0)
        full = lifter.render(planes, camera, 64).colour.clamp(0, 1)
        terms = recipe(lifter, planes, full, camera, depth, mask, torch.Generator().manual_seed(0))
    assert terms["colour"] < 0.02
    assert terms["mirror"] < 0.02


def test_the_recipe_is_a_function_of_its_generator(astronaut: Tensor) -> None:
    image, camera, depth, mask = face_batch(astronaut)
    lifter, recipe = small_lifter(), LifterRecipe(LifterRecipeConfig(side=64, perceptual=0.0), seed=0)

    def losses_of(seed: int) -> dict[str, Any]:
        planes = lifter(image, camera)
        generator = torch.Generator().manual_seed(seed)
        terms = recipe(lifter, planes, image, camera, depth, mask, generator)
        return {name: value.item() for name, value in terms.items()}

    assert losses_of(0) == losses_of(0)
    assert losses_of(0) != losses_of(1)


def test_distortion_is_the_double_sum() -> None:
    weights, edges = rand(4, 6, dtype=torch.float64), rand(4, 7, seed=1, dtype=torch.float64).sort(-1).values
    middles, lengths = (edges[:, 1:] + edges[:, :-1]) / 2, edges.diff(dim=-1)
    pairs = (middles[:, :, None] - middles[:, None, :]).abs() * weights[:, :, None] * weights[:, None, :]
    expected = (pairs.sum((1, 2)) + (weights.square() * lengths).sum(1) / 3).mean()
    torch.testing.assert_close(losses.distortion_loss(weights, edges), expected)
    assert torch.autograd.gradcheck(losses.DistortionLoss(), (weights.requires_grad_(), edges))
    with pytest.raises(ValueError, match="one edge more"):
        losses.distortion_loss(weights, edges[:, 1:])
