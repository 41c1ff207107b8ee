"""Mild damage of photographs: within its ranges, seeded, each part by itself what it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.photo import PhotoConfig, apply_photo, sample_photo
from lumiface.degradations.tasks import task_pair

NOTHING: dict[str, Any] = {"blurred": 0.0, "noisy": 0.0, "compressed": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def damage(pictures: Tensor, **settings: Any) -> Tensor:
    sampled = sample_photo(len(pictures), PhotoConfig(**(NOTHING | settings)), seeded(), "cpu")
    return apply_photo(pictures, 2, sampled, seeded(1))


@pytest.fixture
def crops(astronaut: Tensor) -> Tensor:
    return torch.cat([astronaut[..., 64 * n : 64 * n + 128, 100:228] for n in range(4)])


def test_parameters_fill_their_ranges_and_are_absent_as_often_as_stated() -> None:
    config = PhotoConfig()
    p = sample_photo(8000, config, seeded(), "cpu")
    for values, most, share in (
        (p.sigma, config.sigma, config.blurred), (p.noise * 255, config.noise, config.noisy),
    ):  # fmt: skip
        assert values.min() == 0
        assert 0.97 * most < values.max() <= most
        assert (values > 0).float().mean().item() == pytest.approx(share, abs=0.02)
    found = p.quality[p.quality > 0]
    assert (int(found.min()), int(found.max())) == config.quality
    assert len(found) / 8000 == pytest.approx(config.compressed, abs=0.02)
    # weak damage more often than strong
    assert found.float().mean() > sum(config.quality) / 2 + 4
    assert p.noise[p.noise > 0].median() * 255 < 0.35 * config.noise


def test_one_range_changes_no_other_value() -> None:
    before, after = (
        sample_photo(50, PhotoConfig(**change), seeded(), "cpu") for change in ({}, {"sigma": 2.0})
    )
    assert torch.equal(before.noise, after.noise)
    assert torch.equal(before.quality, after.quality)
    assert not torch.equal(before.sigma, after.sigma)


def test_without_damage_it_is_the_reduction_of_the_task_sr(crops: Tensor) -> None:
    low, _ = task_pair("sr", crops, 2, seeded())
    assert torch.equal(damage(crops), low)


def test_each_part_alone(crops: Tensor) -> None:
    clean = damage(crops)
    assert torch.equal(damage(crops, compressed=1.0, quality=(70, 70)), jpeg(clean, torch.tensor([70] * 4)))
    grey = torch.full((8, 3, 128, 128), 0.5)
    p = sample_photo(8, PhotoConfig(**NOTHING | {"noisy": 1.0, "noise": 20.0}), seeded(), "cpu")
    noise = apply_photo(grey, 2, p, seeded(1)).std(dim=(1, 2, 3))
    clear = p.noise * 255 > 2.0  # weaker noise is changed by the rounding to 8 bits
    assert clear.sum() >= 4
    torch.testing.assert_close(noise[clear], p.noise[clear], rtol=0.05, atol=0.0)

    def detail(pictures: Tensor) -> Tensor:
        return (pictures[..., 1:] - pictures[..., :-1]).abs().mean(dim=(1, 2, 3))

    assert (detail(damage(crops, blurred=1.0, sigma=1.0)) < detail(clean)).all()


def test_same_seed_same_result_on_the_8_bit_grid(crops: Tensor) -> None:
    strong = {"blurred": 1.0, "noisy": 1.0, "compressed": 1.0}
    low = damage(crops, **strong)
    assert torch.equal(low, damage(crops, **strong))
    assert low.shape == (4, 3, 64, 64)
    assert ((low * 255).round() / 255 - low).abs().max() < 1e-6
    assert float(low.min()) >= 0
    assert float(low.max()) <= 1


def test_qualities_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="quality"):
        PhotoConfig(quality=(90, 60))
