"""Blind degradation: in its ranges, seeded, each part by itself what it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from helpers import psnr
from lumiface.degradations.blind import BlindConfig, apply_blind, sample_blind
from lumiface.degradations.jpeg import jpeg
from lumiface.imaging.color import luma

NOTHING: dict[str, Any] = {
    "sigma": (0.0, 0.0), "factor": (1.0, 1.0), "noise": (0.0, 0.0), "quality": (100, 100), "colour": 0.0,
    "grey": 0.0,
}  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def damage(pictures: Tensor, **ranges: Any) -> Tensor:
    sampled = sample_blind(
        len(pictures), pictures.shape[-1], BlindConfig(**(NOTHING | ranges)), seeded(), pictures.device
    )
    return apply_blind(pictures, sampled, seeded(1))


def test_what_is_drawn_lies_in_its_ranges() -> None:
    config = BlindConfig()
    sampled = sample_blind(4000, 512, config, seeded(), "cpu")
    for values, (low, high) in (
        (sampled.sigma_x, (0.1, 10.0)), (sampled.sigma_y, (0.1, 10.0)), (sampled.noise * 255, (0.0, 20.0)),
        (sampled.quality, (60, 100)), (sampled.factor, (1.0, 8.0)),
    ):  # fmt: skip
        assert low <= values.min()
        assert values.max() <= high + 1e-4
        assert values.max() - values.min() > 0.95 * (high - low)
    assert (sampled.sigma_x == sampled.sigma_y).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert (sampled.red != 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert sampled.red.abs().max() <= 20 / 255
    assert sampled.grey.mean().item() == pytest.approx(0.01, abs=0.006)
    half = sample_blind(4000, 256, config, seeded(), "cpu")
    torch.testing.assert_close(half.sigma_x, sampled.sigma_x / 2)  # the same blur on a picture half the size
    assert sampled.as_dict(3)["quality"] == sampled.quality[3].item()


def test_the_same_seed_gives_the_same_pictures(faces: Tensor) -> None:
    one, other = damage(faces, noise=(5.0, 20.0)), damage(faces, noise=(5.0, 20.0))
    assert torch.equal(one, other)
    assert ((one * 255).round() / 255 - one).abs().max() < 1e-6
    sampled = sample_blind(4, 128, BlindConfig(), seeded(), "cpu")
    again = sample_blind(4, 128, BlindConfig(noise=(0.0, 1.0)), seeded(), "cpu")
    assert torch.equal(sampled.factor, again.factor)  # one range changes no other number


def test_each_part_by_itself(faces: Tensor) -> None:
    unharmed = jpeg(faces, torch.full((4,), 100))
    torch.testing.assert_close(damage(faces), unharmed, atol=1e-6, rtol=0)
    assert psnr(damage(faces, sigma=(8.0, 8.0)), faces) < psnr(damage(faces, sigma=(2.0, 2.0)), faces) < 40
    assert psnr(damage(faces, factor=(8.0, 8.0)), faces) < psnr(damage(faces, factor=(2.0, 2.0)), faces) < 40
    grey = torch.full((2, 3, 64, 64), 0.5)
    noisy = damage(grey, noise=(10.0, 10.0))
    # JPEG keeps the luma's noise, that of three weighed channels, and takes most of the colours'.
    kept = 10.0 * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5
    assert luma(noisy).std().item() * 255 == pytest.approx(kept, rel=0.08)
    shifted = damage(grey, colour=1.0)
    assert (shifted.mean(dim=(2, 3)) - 0.5).abs().max() > 0.005
    assert shifted.flatten(2).std(dim=2).max() < 1e-6
    without = damage(faces, grey=1.0)
    assert (without.amax(dim=1) - without.amin(dim=1)).max() == 0


def test_ranges_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="quality: need 1 <= low <= high <= 100"):
        BlindConfig(quality=(90, 60))
    with pytest.raises(ValidationError, match="noise"):
        BlindConfig(noise=(-1.0, 3.0))
