"""Motion kernels: sums, directions, lengths. Jitter: ranges, orders, each change against its definition."""

from __future__ import annotations

import colorsys
import itertools
import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from helpers import rand
from lumiface.degradations.jitter import ORDERS, JitterConfig, apply_jitter, sample_jitter, shift_hue
from lumiface.degradations.motion import MotionConfig, motion_kernels, motion_radius, sample_motion
from lumiface.imaging.color import luma


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moments(kernels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean x and y, (B,), covariance matrices, (B, 2, 2), and third central moments along x and y, (B, 2)."""
    radius = kernels.shape[-1] // 2
    offset = torch.arange(-radius, radius + 1, dtype=kernels.dtype)
    grid = torch.stack(torch.meshgrid(offset, offset, indexing="xy")).flatten(1)
    weights = kernels.flatten(1)
    mean = weights @ grid.T
    covariance = torch.einsum("bn,in,jn->bij", weights, grid, grid)
    return mean[:, 0], mean[:, 1], covariance, weights @ grid.T.pow(3)


def kernels_of(length: float, angles: list[float], turn: float = 0.0) -> Tensor:
    angle = torch.tensor(angles, dtype=torch.float64)
    return motion_kernels(
        torch.full_like(angle, length), angle, torch.full_like(angle, turn), motion_radius(length)
    )


@pytest.mark.parametrize("turn", [0.0, 1.5, -3.0])
def test_kernels_sum_to_one_and_move_no_picture(turn: float) -> None:
    kernels = kernels_of(21.0, [0.0, 0.7, 2.0, 4.0], turn)
    assert kernels.min() >= 0
    assert kernels.shape == (4, 25, 25)
    torch.testing.assert_close(kernels.sum(dim=(1, 2)), torch.ones(4, dtype=torch.float64))
    for mean in moments(kernels)[:2]:
        assert mean.abs().max() < 1e-9  # the centre of mass stays
    edge = torch.cat([kernels[:, 0], kernels[:, -1], kernels[:, :, 0], kernels[:, :, -1]], dim=1)
    assert edge.max() == 0  # nothing is cut off


def test_straight_kernels_lie_along_their_direction() -> None:
    angles = [0.0, math.pi / 6, math.pi / 2, 2.5]
    length = 24.0
    covariance = moments(kernels_of(length, angles))[2]
    for angle, matrix in zip(angles, covariance, strict=True):
        along = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        across = torch.tensor([-math.sin(angle), math.cos(angle)], dtype=torch.float64)
        # The variance of a uniform path, and at most a quarter of a pixel from its bilinear pixels.
        assert (along @ matrix @ along).item() == pytest.approx(length**2 / 12, abs=0.4)
        assert (across @ matrix @ across).item() < 0.3
    horizontal = kernels_of(length, [0.0])[0]
    assert horizontal[13].sum().item() == pytest.approx(1.0)  # one row


def test_curved_kernels_bend_to_their_side() -> None:
    covariance = moments(kernels_of(24.0, [0.0], 2.0))[2][0]
    assert covariance[1, 1] > 2 * moments(kernels_of(24.0, [0.0]))[2][0, 1, 1] + 1
    left, right = (moments(kernels_of(24.0, [0.0], turn))[3][0, 1] for turn in (-2.0, 2.0))
    assert left == pytest.approx(-right.item())
    assert left < -2.0 < 2.0 < right  # a right turn, towards the bottom, has its ends below
    assert abs(moments(kernels_of(24.0, [0.0]))[3][0, 1]) < 1e-6
    unmoved = kernels_of(0.0, [1.0])[0]
    assert unmoved[1, 1] == 1.0


def test_motion_is_drawn_from_its_ranges() -> None:
    config = MotionConfig(prob=0.4, length=(8.0, 20.0), straight=0.3, turn=(0.5, 1.0))
    sampled = sample_motion(4000, 256, config, seeded(), torch.float32)
    moved = sampled["motion_length"][sampled["motion_length"] > 0]
    assert len(moved) / 4000 == pytest.approx(0.4, abs=0.03)
    assert moved.min() >= 4.0  # half of the size of 512
    assert moved.max() <= 10.0
    turn = sampled["motion_turn"]
    assert (turn == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert turn.abs()[turn != 0].min() >= 0.5
    assert turn.abs().max() <= 1.0
    assert (turn > 0).float().mean().item() == pytest.approx(0.35, abs=0.03)
    assert sampled["motion_angle"].max() > 6.2
    with pytest.raises(ValidationError, match="length: need 0 <= low <= high <= 64"):
        MotionConfig(length=(20.0, 8.0))


def test_jitter_is_drawn_from_its_ranges() -> None:
    sampled = sample_jitter(6000, JitterConfig(), seeded(), torch.float32)
    assert sampled["jitter"].mean().item() == pytest.approx(0.3, abs=0.03)
    ranges = {"brightness": (0.5, 1.5), "contrast": (0.5, 1.5), "saturation": (0.0, 1.5), "hue": (-0.1, 0.1)}
    for name, (low, high) in ranges.items():
        values = sampled[f"jitter_{name}"]
        assert low <= values.min()
        assert values.max() <= high
        assert values.max() - values.min() > 0.95 * (high - low)
    assert sampled["jitter_order"].unique().tolist() == list(range(24))
    with pytest.raises(ValidationError, match=r"hue: need -0\.5 <= low"):
        JitterConfig(hue=(-0.6, 0.1))


def test_the_hue_is_that_of_hsv() -> None:
    colours = torch.tensor([*itertools.product((0.0, 0.3, 0.55, 1.0), repeat=3)])
    shift = torch.linspace(-0.5, 0.5, len(colours))
    turned = shift_hue(colours[:, :, None, None], shift)[:, :, 0, 0]
    for colour, by, found in zip(colours.tolist(), shift.tolist(), turned, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        expected = torch.tensor(colorsys.hsv_to_rgb((hue + by) % 1.0, saturation, value))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_each_change_alone_and_in_the_order_that_is_drawn() -> None:
    pictures = rand(4, 3, 8, 8)
    same = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}

    def changed(order: int = 0, changes: float = 1.0, **values: float) -> Tensor:
        given = [torch.full((4,), value) for value in (same | values).values()]
        orders = torch.full((4,), order)
        return apply_jitter(pictures, torch.full((4,), changes), *given, orders)

    torch.testing.assert_close(changed(), pictures, atol=1e-6, rtol=0)
    assert torch.equal(changed(changes=0.0, brightness=0.5), pictures)
    torch.testing.assert_close(changed(brightness=1.4), (1.4 * pictures).clamp(max=1.0), atol=1e-6, rtol=0)
    grey = luma(pictures)
    torch.testing.assert_close(changed(saturation=0.0), grey.expand_as(pictures), atol=1e-6, rtol=0)
    flat = changed(contrast=0.0)
    torch.testing.assert_close(
        flat, grey.mean(dim=(1, 2, 3), keepdim=True).expand_as(flat), atol=1e-6, rtol=0
    )
    # Limited to [0, 1] between two changes, brightness and contrast do not commute.
    first, last = ORDERS.index((0, 1, 2, 3)), ORDERS.index((1, 0, 2, 3))
    bright = (1.5 * pictures).clamp(max=1.0)
    mean = luma(bright).mean(dim=(1, 2, 3), keepdim=True)
    expected = (0.5 * bright + 0.5 * mean).clamp(0.0, 1.0)
    torch.testing.assert_close(changed(first, brightness=1.5, contrast=0.5), expected, atol=1e-6, rtol=0)
    assert (changed(last, brightness=1.5, contrast=0.5) - expected).abs().max() > 0.02
