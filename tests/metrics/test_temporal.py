"""Flicker and warping error: right values where they are known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from helpers import rand
from lumiface.metrics.temporal import luma_flicker, warping_error


def levels(*values: float) -> torch.Tensor:
    return torch.stack([torch.full((3, 8, 8), value / 255.0) for value in values])


def test_flicker_of_known_light() -> None:
    assert luma_flicker(levels(10, 20, 30, 40)) == pytest.approx(0.0, abs=1e-4)  # a steady fade
    assert luma_flicker(levels(100, 101, 100, 101, 100)) == pytest.approx(1.0, abs=1e-4)


def scene(steps: int, shift: int) -> torch.Tensor:
    """A smooth random texture that moves to the right."""
    large = F.interpolate(rand(1, 3, 12, 24, seed=3), (96, 192), mode="bicubic").clamp(0, 1)
    return torch.cat([large[..., 8:72, 60 - shift * t : 124 - shift * t] for t in range(steps)])


def test_what_moves_is_no_error() -> None:
    moving = scene(5, 3)
    assert warping_error(moving, moving) < 3.0
    still = (moving[1:] - moving[:-1]).square().mean().item() * 1e4
    assert still > 50.0  # without undoing the motion


def test_noise_counts_twice() -> None:
    """Its variance is in both frames: 2 sigma squared, less what bilinear sampling smooths."""
    steady = scene(4, 0)
    noisy = steady + 0.05 * torch.randn(steady.shape, generator=torch.Generator().manual_seed(0))
    assert warping_error(noisy, steady) == pytest.approx(2 * 0.05**2 * 1e4, rel=0.05)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="T >= 3"):
        luma_flicker(levels(1, 2))
    with pytest.raises(ValueError, match="one shape"):
        warping_error(levels(1, 2), levels(1, 2, 3))
