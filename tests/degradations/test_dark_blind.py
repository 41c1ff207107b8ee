"""Faces that are dark and damaged: in their ranges, seeded, each part what it says; and lit again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.degradations.blind import OPTIONAL, BlindConfig, apply_blind, sample_blind
from lumiface.degradations.camera_pipeline import CameraConfig, random_shadow
from lumiface.degradations.dark_blind import (
    LEVEL,
    PARAMETERS,
    DarkBlindConfig,
    RelightError,
    apply_dark_blind,
    is_darkened,
    relight_to,
    sample_dark_blind,
    simulate_damaged,
)
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.resample import resize
from lumiface.imaging.color import luma
from lumiface.registry import build_recipe

NO_DAMAGE: dict[str, Any] = {
    "sigma": (0.0, 0.0), "factor": (1.0, 1.0), "noise": (0.0, 0.0), "quality": (100, 100), "colour": 0.0,
    "grey": 0.0,
}  # fmt: skip
NO_NOISE: dict[str, Any] = {"lit": 0, "shade": (0.0, 0.0), "shot": (0.0, 0.0), "read": (0.0, 0.0)}
EXACT = RelightError(mean=(0.0, 0.0), log_std=(0.0, 0.0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def degraded(pictures: Tensor, dark: dict[str, Any], damage: dict[str, Any]) -> Tensor:
    config = DarkBlindConfig(dark=CameraConfig(**NO_NOISE | dark), damage=BlindConfig(**NO_DAMAGE | damage))
    sampled = sample_dark_blind(len(pictures), pictures.shape[-1], config, seeded(), "cpu")
    return apply_dark_blind(pictures, sampled, seeded(1))


def test_ranges_names_and_the_part_that_stays_lit() -> None:
    config = DarkBlindConfig(dark=CameraConfig(lit=0.4))
    sampled = sample_dark_blind(4000, 256, config, seeded(), "cpu")
    assert set(sampled.as_dict(0)) == set(PARAMETERS)
    assert len(sampled) == 4000
    assert float(is_darkened(sampled).float().mean()) == pytest.approx(0.6, abs=0.03)
    assert 0.3 <= float(sampled.gain.min()) < 0.32
    assert 60 <= int(sampled.quality.min()) < 62
    again = sample_dark_blind(4, 256, DarkBlindConfig(damage=BlindConfig(noise=(0.0, 1.0))), seeded(), "cpu")
    assert torch.equal(again.gamma, sample_dark_blind(4, 256, DarkBlindConfig(), seeded(), "cpu").gamma)


def test_parts_of_the_damage_that_are_off_by_default_are_drawn_last() -> None:
    plain = sample_dark_blind(8, 256, DarkBlindConfig(), seeded(), "cpu")
    config = DarkBlindConfig.model_validate({"preset": "gfpgan", "damage": {"motion": {}}})
    assert config == DarkBlindConfig.model_validate({"damage": {"preset": "gfpgan", "motion": {}}})
    both = sample_dark_blind(8, 256, config, seeded(), "cpu")
    for name in PARAMETERS:
        assert torch.equal(getattr(both, name), getattr(plain, name)), name
    assert set(both.as_dict(0)) == {*PARAMETERS, *OPTIONAL}
    assert "motion" not in DarkBlindConfig().model_dump()["damage"]
    with pytest.raises(ValidationError, match="foggy"):
        DarkBlindConfig.model_validate({"preset": "foggy"})


def test_a_preset_of_the_whole_goes_before_that_of_the_damage() -> None:
    """So `--preset` overrules what a file names, as for the blind degradation."""
    both = {"preset": "gfpgan", "damage": {"preset": "dfdnet", "grey": 0.5}}
    expected = BlindConfig.model_validate({"preset": "gfpgan", "grey": 0.5})
    assert DarkBlindConfig.model_validate(both).damage == expected


@pytest.mark.parametrize("damage", [3, None, "strong"])
def test_damage_that_is_no_table_is_refused_beside_a_preset(damage: Any) -> None:
    with pytest.raises(ValidationError, match="damage"):
        DarkBlindConfig.model_validate({"preset": "gfpgan", "damage": damage})


def test_without_darkness_it_is_the_blind_degradation(faces: Tensor) -> None:
    config, generator = BlindConfig(), seeded(1)
    random_shadow(torch.zeros(4), (128, 128), generator)  # it is sampled first, also where there is none
    expected = apply_blind(faces, sample_blind(4, 128, config, seeded(), "cpu"), generator)
    light = CameraConfig(lit=1.0, shot=(0.0, 0.0), read=(0.0, 0.0))
    sampled = sample_dark_blind(4, 128, DarkBlindConfig(dark=light, damage=config), seeded(), "cpu")
    assert not is_darkened(sampled).any()
    assert float((apply_dark_blind(faces, sampled, seeded(1)) - expected).abs().mean()) < 1e-3


def test_darkening_and_noise_are_what_they_say(faces: Tensor) -> None:
    dark = degraded(faces, {"gain": (0.5, 0.5), "gamma": (2.0, 2.0)}, {})
    expected = jpeg(0.5 * faces.square(), torch.full((4,), 100))
    assert float((dark - expected).abs().max()) < 2.5 / 255
    grey = torch.full((4, 3, 96, 96), 0.5)
    half = degraded(grey, {"gain": (0.5, 0.5), "gamma": (1.0, 1.0)}, {"noise": (10.0, 10.0)})
    kept = (0.299**2 + 0.587**2 + 0.114**2) ** 0.5  # of the noise of three channels, in luma
    assert float(luma(half).std()) * 255 == pytest.approx(
        0.5 * 10.0 * kept, rel=0.08
    )  # relative to the light
    reading = degraded(grey, {"gain": (0.5, 0.5), "gamma": (1.0, 1.0), "read": (0.03, 0.03)}, {})
    assert float(luma(reading).std()) == pytest.approx(0.03 * kept, rel=0.08)


def test_damaged_and_reduced_at_once(faces: Tensor) -> None:
    small = simulate_damaged(faces, DarkBlindConfig(), (32, 32), seeded())
    generator = seeded()
    sampled = sample_dark_blind(4, 128, DarkBlindConfig(), generator, "cpu")
    expected = resize(apply_dark_blind(faces, sampled, generator), (32, 32))
    assert small.shape == (4, 3, 32, 32)
    torch.testing.assert_close(small, expected.clamp(0.0, 1.0), atol=0.51 / 255, rtol=0)


def test_half_of_the_pairs_of_a_recipe_are_damaged(faces: Tensor) -> None:
    many = faces.repeat(16, 1, 1, 1)
    settings = {
        "camera": {"lit": 1.0, "sigma": (0, 0), "read": (0, 0), "shot": (0, 0), "quality": (100, 100)}
    }
    blurred = {"sigma": (10.0, 10.0), "factor": (8.0, 8.0)}
    recipe = build_recipe("lumiface-x4", settings | {"damage": blurred, "damaged": 0.5}, 0)
    low, high = recipe.degrade(many, "joint", 4, seeded())
    assert torch.equal(high, many)
    distance = (low - resize(many, (32, 32))).abs().mean(dim=(1, 2, 3))
    assert 0.25 < float((distance > 0.02).float().mean()) < 0.75
    with pytest.raises(SettingError, match=r"needs recipe\.camera"):
        build_recipe("lumiface-x4", {"damage": {}}, 0)


def test_light_comes_back_exactly_or_up_to_the_error(faces: Tensor) -> None:
    dark = degraded(faces, {"gain": (0.6, 0.6), "gamma": (1.5, 1.5)}, {})
    lit = relight_to(dark, faces, EXACT, seeded())
    logarithms = [(pictures.clamp(max=1.0) + LEVEL).log() for pictures in (lit, faces)]
    means = [each.mean(dim=(2, 3)) for each in logarithms]
    torch.testing.assert_close(means[0], means[1], atol=0.06, rtol=0)
    assert float((lit - faces).abs().mean()) < 0.25 * float((dark - faces).abs().mean())
    brighter = relight_to(dark, faces, RelightError(mean=(0.2, 0.0), log_std=(0.0, 0.0)), seeded())
    assert float(brighter.mean()) > 1.05 * float(lit.mean())
    random = RelightError(mean=(0.0, 0.3), log_std=(0.0, 0.1))
    assert torch.equal(relight_to(dark, faces, random, seeded()), relight_to(dark, faces, random, seeded()))
    assert not torch.equal(
        relight_to(dark, faces, random, seeded()), relight_to(dark, faces, random, seeded(1))
    )
