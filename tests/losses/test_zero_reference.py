"""The losses without ground truth: gradients, and explicit sums."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface import losses
from lumiface.imaging.color import rgb_to_ycbcr


def test_gradients_of_the_losses() -> None:
    output = rand(1, 3, 5, 4, dtype=torch.float64).requires_grad_()
    low = rand(1, 3, 5, 4, seed=1, dtype=torch.float64).requires_grad_()
    pairs: list[tuple[Any, tuple[Tensor, ...]]] = [
        (losses.SpatialConsistencyLoss(region=2), (output, low)),
        (losses.ExposureLoss(region=4), (output,)),
        (losses.ColourConstancyLoss(), (output,)),
        (losses.IlluminationSmoothnessLoss(), (output,)),
        (losses.EdgeAwareSmoothnessLoss(sigma=0.5), (output, low)),
    ]
    for loss, inputs in pairs:
        assert torch.autograd.gradcheck(loss, inputs)


def test_spatial_consistency_is_the_sum_over_neighbours() -> None:
    output, low = rand(1, 3, 12, 8), rand(1, 3, 12, 8, seed=1)
    grey = [F.avg_pool2d(image.mean(dim=1), 4)[0] for image in (output, low)]  # 3 rows, 2 columns
    total = 0.0
    for y in range(3):
        for x in range(2):
            for b, a in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= b < 3 and 0 <= a < 2:
                    steps = [(plane[y, x] - plane[b, a]).abs().item() for plane in grey]
                    total += (steps[0] - steps[1]) ** 2
    assert losses.spatial_consistency_loss(output, low).item() == pytest.approx(total / 6, rel=1e-5)
    assert losses.spatial_consistency_loss(low + 0.3, low).item() == pytest.approx(0, abs=1e-12)


def test_exposure_colour_and_smoothness_have_their_known_values() -> None:
    flat = torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(2, 3, 20, 20)
    assert losses.exposure_loss(flat).item() == pytest.approx(0.2)  # mean grey 0.4, target 0.6
    assert losses.colour_constancy_loss(flat).item() == pytest.approx(0.04 + 0.04 + 0.16)
    assert losses.illumination_smoothness_loss(flat).item() == 0
    ramp = (0.1 * torch.arange(6.0) + 0.2 * torch.arange(5.0)[:, None]).expand(4, 3, 5, 6)
    assert losses.illumination_smoothness_loss(ramp).item() == pytest.approx(3 * 0.3**2, rel=1e-5)
    for size in ((1, 1), (5, 3)):  # smaller than a region
        assert losses.exposure_loss(torch.full((1, 3, *size), 0.5)).item() == pytest.approx(0.1, abs=1e-6)


def test_edge_aware_smoothness_is_the_sum_over_the_window() -> None:
    light, guide, sigma = rand(1, 3, 6, 7), rand(1, 3, 6, 7, seed=1), 0.4
    colours = rgb_to_ycbcr(guide)
    expected = 0.0
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            if (dy, dx) == (0, 0):
                continue
            terms = [
                math.exp(
                    -(colours[0, :, y, x] - colours[0, :, y + dy, x + dx]).square().sum() / (2 * sigma**2)
                )
                * (light[0, :, y, x] - light[0, :, y + dy, x + dx]).abs().sum().item()
                for y in range(6)
                for x in range(7)
                if 0 <= y + dy < 6 and 0 <= x + dx < 7
            ]
            expected += sum(terms) / len(terms)
    assert losses.edge_aware_smoothness_loss(light, guide, sigma).item() == pytest.approx(expected, rel=1e-4)


def test_a_step_of_illumination_costs_nothing_at_an_edge_of_the_image() -> None:
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1.0
    assert losses.edge_aware_smoothness_loss(step, step) < 1e-6
    assert losses.edge_aware_smoothness_loss(step, torch.zeros_like(step)) > 1


@pytest.mark.parametrize("loss", [losses.spatial_consistency_loss, losses.edge_aware_smoothness_loss])
def test_losses_refuse_to_broadcast(loss: Any) -> None:
    with pytest.raises(ValueError, match="same size"):
        loss(rand(2, 3, 8, 8), rand(1, 3, 8, 8))
