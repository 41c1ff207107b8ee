"""Simulated camera: the sampled parameters and their effects."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.degradations.camera_pipeline import (
    CAMERA,
    CameraConfig,
    CameraParameters,
    apply_camera,
    sample_camera,
)
from lumiface.degradations.resample import resize
from lumiface.registry import build_recipe

NOTHING: dict[str, Any] = {
    "lit": 0, "gain": (1, 1), "gamma": (1, 1), "shade": (0, 0), "sigma": (0, 0), "shot": (0, 0),
    "read": (0, 0), "quality": (100, 100),
}  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampled(count: int = 1, **settings: Any) -> CameraParameters:
    return sample_camera(count, CameraConfig(**(NOTHING | settings)), seeded(), "cpu")


def test_numbers_lie_in_their_ranges_and_a_tenth_keeps_its_light() -> None:
    found = sample_camera(20_000, CAMERA, seeded(), "cpu")
    lit = (found.gain == 1.0) & (found.gamma == 1.0)
    assert float(lit.float().mean()) == pytest.approx(CAMERA.lit, abs=0.01)
    for name in ("gain", "gamma", "shade", "sigma", "shot", "read", "quality"):
        low, high = getattr(CAMERA, name)
        values = getattr(found, name)[~lit].double()
        assert low - 1e-6 <= float(values.min()) <= low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) <= float(values.max()) <= high + 1e-6
    # Logarithms of gains are uniform; gamma is the square of a uniform number, from 1 on; so is noise.
    assert float(found.gain[~lit].log().mean()) == pytest.approx(0.5 * math.log(0.3), abs=0.01)
    assert float(found.gamma[~lit].mean()) == pytest.approx(1.0 + 4.0 / 3.0, abs=0.03)
    assert float(found.read.mean()) == pytest.approx(0.012 / 3.0, rel=0.03)
    assert float((found.quality >= 99).float().mean()) == pytest.approx((2.0 / 26.0) ** 0.5, abs=0.02)


def test_the_same_numbers_make_the_same_picture(astronaut: Tensor) -> None:
    pictures = astronaut[..., 20:148, 150:278].repeat(3, 1, 1, 1)
    parameters = sample_camera(3, CAMERA, seeded(4), "cpu")
    once, twice = (apply_camera(pictures, parameters, 4, seeded(5)) for _ in range(2))
    assert once.shape == (3, 3, 32, 32)
    assert torch.equal(once, twice)
    assert not torch.equal(once, apply_camera(pictures, parameters, 4, seeded(6)))
    torch.testing.assert_close(once * 255, (once * 255).round(), atol=1e-4, rtol=0)


def test_light_is_lost_by_the_formula(astronaut: Tensor) -> None:
    pictures = astronaut[..., 20:148, 150:278]
    dark = apply_camera(pictures, sampled(gain=(0.6, 0.6), gamma=(2, 2)), 4, seeded())
    torch.testing.assert_close(dark, resize(0.6 * pictures**2, (32, 32)).clamp(0, 1), atol=0.06, rtol=0)
    assert float((dark - resize(0.6 * pictures**2, (32, 32))).abs().mean()) < 0.01  # JPEG's, at quality 100


def test_a_shadow_is_smooth_and_leaves_one_place_alone() -> None:
    grey = torch.full((64, 3, 64, 64), 0.5)
    shaded = apply_camera(grey, sampled(64, shade=(0.4, 0.4)), 4, seeded()).mean(dim=1)
    brightest, darkest = shaded.amax(dim=(1, 2)), shaded.amin(dim=(1, 2))
    torch.testing.assert_close(brightest, torch.full((64,), 0.5), atol=0.06, rtol=0)  # the mean of 4 x 4
    # Of nine normal numbers the largest and the least are 2.97 deviations apart on average.
    assert float((darkest / brightest).log().mean()) == pytest.approx(-0.4 * 2.97, rel=0.1)
    assert float(shaded.diff(dim=2).abs().max()) < 0.15


def test_noise_has_the_variance_that_was_asked_for() -> None:
    grey = torch.full((1, 3, 512, 512), 0.25)
    settings = replace(sampled(), shot=torch.tensor([0.002]), read=torch.tensor([0.01]))
    noisy = apply_camera(grey, settings, 4, seeded())
    luma = (noisy * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    expected = (0.002 * 0.25 + 0.01**2) * (0.299**2 + 0.587**2 + 0.114**2)
    assert float(luma.var()) == pytest.approx(expected, rel=0.1)


def test_impossible_settings_are_refused() -> None:
    for name, value in (("gain", (0.5, 1.5)), ("gamma", (3, 2)), ("quality", (0, 90)), ("lit", 1.5)):
        with pytest.raises(ValidationError, match=name):
            CameraConfig(**{name: value})


def test_a_recipe_makes_a_cameras_pairs_for_the_joint_task_alone(astronaut: Tensor) -> None:
    pictures = astronaut[..., 20:148, 150:278]
    recipe = build_recipe("lfsrnet", {"camera": {"lit": 1.0, "read": [0.0, 0.0]}}, 0)
    low, target = recipe.degrade(pictures, "joint", 4, seeded())
    assert torch.equal(target, pictures)
    assert float(low.mean()) == pytest.approx(float(pictures.mean()), abs=0.02)
    with pytest.raises(SettingError, match="not for sr"):
        recipe.degrade(pictures, "sr", 4, seeded())
