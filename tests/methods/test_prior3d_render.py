"""Tri-planes and volume rendering: against explicit sums, and scenes with known solutions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import rand
from lumiface.geometry.camera import mirror_camera, orbit_camera, rays
from lumiface.methods.prior3d.render import (
    RenderConfig,
    box_span,
    render,
    render_weights,
    resample_bins,
)
from lumiface.methods.prior3d.triplane import (
    PlaneDecoder,
    TriPlaneConfig,
    mirror_planes,
    sample_planes,
)

HALF = 0.4
AHEAD = torch.zeros(1, 3)


class Ball(nn.Module):
    """Replaces the decoder: from planes that hold x, y, z, a dense red ball in empty space."""

    def __init__(self, radius: float, density: float = 500.0) -> None:
        super().__init__()
        self.radius, self.density = radius, density

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        inside = features.norm(dim=-1, keepdim=True) < self.radius
        red = torch.tensor([1.0, 0.2, 0.1]).expand(*features.shape[:-1], 3)
        return inside * self.density, torch.where(inside, red, torch.zeros(3))


def coordinate_planes(side: int = 128) -> Tensor:
    """Three planes whose sum at a point is the point: x and y in xy, z in xz."""
    step = ((torch.arange(side) + 0.5) / side * 2 - 1) * HALF
    planes = torch.zeros(1, 3, 3, side, side)
    planes[0, 0, 0] = step  # x grows along the width
    planes[0, 0, 1] = -step[:, None]  # the first row is the highest y
    planes[0, 1, 2] = -step[:, None]  # and the highest z
    return planes


def test_features_are_sampled_at_the_projections_of_a_point() -> None:
    points = (rand(1, 200, 3) - 0.5) * 2 * HALF * 0.98
    torch.testing.assert_close(sample_planes(coordinate_planes(), points, HALF), points, atol=1e-6, rtol=1e-4)
    planes = torch.zeros(1, 3, 1, 8, 8)
    planes[0, 2] = torch.arange(8.0)  # zy: grows with z
    z = sample_planes(planes, torch.tensor([[[0.3, -0.2, -0.2], [0.3, -0.2, 0.2]]]), HALF)[0, :, 0]
    torch.testing.assert_close(z, torch.tensor([1.5, 5.5]))
    assert sample_planes(planes, torch.full((1, 1, 3), 2 * HALF), HALF).abs().max() == 0


def test_rays_enter_and_leave_the_box() -> None:
    origins, directions = rays(orbit_camera(torch.tensor([[20.0, -10.0, 5.0]])), 16, 16)
    near, far = box_span(origins, directions, HALF)
    assert (far >= near).all()
    hit = (far > near)[..., 0]
    assert hit.float().mean() > 0.9
    for distance in (near, far):
        ends = (origins + directions * distance)[hit]
        torch.testing.assert_close(ends.abs().amax(dim=-1), torch.full((len(ends),), HALF), atol=1e-5, rtol=0)
    away, past = box_span(torch.tensor([[[0.0, 5.0, 3.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]), HALF)
    assert away == past


def test_weights_equal_the_explicit_quadrature() -> None:
    density, span = 10 * rand(1, 3, 5), rand(1, 3, 1, seed=1) + 0.5
    bin_edges = torch.cat([torch.zeros(1, 3, 1), rand(1, 3, 5, seed=2).cumsum(-1)], dim=-1)
    bin_edges = bin_edges / bin_edges[..., -1:]
    weights, passed = render_weights(density, bin_edges, span)
    for ray in range(3):
        through = 1.0
        for i in range(5):
            length = (bin_edges[0, ray, i + 1] - bin_edges[0, ray, i]).item() * span[0, ray, 0].item()
            alpha = 1 - math.exp(-density[0, ray, i].item() * length)
            assert weights[0, ray, i].item() == pytest.approx(through * alpha, rel=1e-4, abs=1e-6)
            through *= 1 - alpha
        assert passed[0, ray, 0].item() == pytest.approx(through, rel=1e-4, abs=1e-6)
    assert torch.autograd.gradcheck(
        lambda d: render_weights(d, bin_edges.double(), span.double())[0], density.double().requires_grad_()
    )


def test_resampled_bins_lie_where_the_weight_is() -> None:
    bin_edges = torch.linspace(0, 1, 11).expand(1, 2, -1)
    weights = torch.zeros(1, 2, 10)
    weights[0, 0, 3] = 1.0  # all weight between 0.3 and 0.4; the other ray meets only the background
    cut = resample_bins(weights, bin_edges, 50)
    assert (cut.diff(dim=-1) >= 0).all()
    torch.testing.assert_close(cut[..., [0, -1]], torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
    within = ((cut[0, 0] >= 0.3) & (cut[0, 0] <= 0.4)).sum()
    assert within >= 0.8 * 50
    torch.testing.assert_close(cut[0, 1], torch.linspace(0, 1, 51))


@pytest.mark.parametrize("yaw", [0.0, 35.0])
def test_a_ball_is_a_disc_at_its_distance(yaw: float) -> None:
    camera = orbit_camera(torch.tensor([[yaw, 10.0, 0.0]]))
    rendering = render(
        coordinate_planes(), Ball(0.2), camera, HALF, RenderConfig(coarse=96, fine=96), (64, 64)
    )
    origins, directions = rays(camera, 64, 64)
    # Intersection of ray and sphere, by the quadratic formula.
    b = (origins * directions).sum(-1)
    inside = b.square() - origins.square().sum(-1) + 0.2**2
    hit = (inside > 0).reshape(1, 1, 64, 64)
    depth = (-b - inside.clamp_min(0).sqrt()).reshape(1, 1, 64, 64)
    well_inside = (inside > 0.006).reshape(1, 1, 64, 64)
    assert hit.float().mean() > 0.2
    assert ((rendering.opacity > 0.5) == hit).float().mean() > 0.98
    assert (rendering.depth - depth)[well_inside].abs().mean() < 0.01
    red = rendering.colour.permute(0, 2, 3, 1)[well_inside[:, 0]]
    torch.testing.assert_close(red, torch.tensor([1.0, 0.2, 0.1]).expand_as(red), atol=0.02, rtol=0)


def test_rendering_is_deterministic_and_independent_of_the_selected_pixels() -> None:
    config = TriPlaneConfig(channels=4, side=16, half_side=HALF, hidden=8)
    torch.manual_seed(0)
    decoder, planes = PlaneDecoder(config), torch.randn(2, 3, 4, 16, 16)
    camera = orbit_camera(torch.tensor([[0.0, 0.0, 0.0], [15.0, 5.0, -3.0]]))
    samples = RenderConfig(coarse=8, fine=8)
    full = render(planes, decoder, camera, HALF, samples, (12, 12))
    assert full.colour.shape == (2, 3, 12, 12)
    assert full.depth.shape == full.opacity.shape == (2, 1, 12, 12)
    assert torch.equal(full.colour, render(planes, decoder, camera, HALF, samples, (12, 12)).colour)
    pixels = torch.arange(144).reshape(12, 12)[1::3, 2::3]
    part = render(planes, decoder, camera, HALF, samples, (12, 12), pixels=pixels)
    torch.testing.assert_close(part.colour, full.colour[:, :, 1::3, 2::3])
    torch.testing.assert_close(part.depth, full.depth[:, :, 1::3, 2::3])
    one, two = (
        render(planes, decoder, camera, HALF, samples, (12, 12), generator=torch.Generator().manual_seed(1))
        for _ in range(2)
    )
    assert torch.equal(one.colour, two.colour)
    assert not torch.equal(one.colour, full.colour)


def test_gradients_reach_the_planes() -> None:
    config = TriPlaneConfig(channels=4, side=16, half_side=HALF, hidden=8)
    torch.manual_seed(0)
    decoder, planes = PlaneDecoder(config), torch.randn(1, 3, 4, 16, 16, requires_grad=True)
    rendering = render(planes, decoder, orbit_camera(AHEAD), HALF, RenderConfig(coarse=8, fine=8), (8, 8))
    F.mse_loss(rendering.colour, torch.rand(1, 3, 8, 8)).backward()
    assert planes.grad is not None
    assert all(planes.grad[0, plane].abs().sum() > 0 for plane in range(3))
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_mirrored_planes_from_a_mirrored_camera_give_the_mirrored_image() -> None:
    torch.manual_seed(0)
    planes = torch.randn(1, 3, 4, 16, 16)
    decoder = PlaneDecoder(TriPlaneConfig(channels=4, side=16, hidden=8))
    camera = orbit_camera(torch.tensor([[18.0, 7.0, 4.0]]))
    with torch.no_grad():
        image, mirrored = (
            render(each, decoder, view, 0.35, RenderConfig(coarse=8, fine=8), (12, 12)).colour
            for each, view in ((planes, camera), (mirror_planes(planes), mirror_camera(camera)))
        )
    torch.testing.assert_close(mirrored, image.flip(-1), atol=1e-4, rtol=1e-3)
