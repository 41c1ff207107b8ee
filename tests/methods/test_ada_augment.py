"""Adaptive augmentation: nothing at p = 0, what it says at p = 1, and p led by the critic."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers import rand
from lumiface.methods.fusion_bfr.ada_augment import AdaptiveProbability, AugmentConfig, augment

CONFIG = AugmentConfig()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(count: int) -> Tensor:
    """Pictures of soft blobs in [-1, 1]."""
    coarse = 2.0 * rand(count, 3, 6, 6) - 1.0
    return torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(-1, 1)


def test_nothing_is_changed_at_zero() -> None:
    pictures = smooth(3)
    assert augment(pictures, 0.0, CONFIG, seeded()) is pictures
    tiny = augment(pictures, 1e-9, CONFIG, seeded())  # all the arithmetic, and no change drawn
    torch.testing.assert_close(tiny, pictures, atol=1e-5, rtol=1e-4)


def test_the_same_seed_changes_alike_and_each_picture_in_its_own_way() -> None:
    pictures = smooth(1).expand(6, -1, -1, -1)
    changed = augment(pictures, 1.0, CONFIG, seeded())
    assert torch.equal(changed, augment(pictures, 1.0, CONFIG, seeded()))
    assert changed.shape == pictures.shape
    apart = torch.cdist(changed.flatten(1), changed.flatten(1)).fill_diagonal_(torch.inf)
    assert apart.min() > 1.0


def test_p_is_the_share_that_is_changed() -> None:
    pictures = smooth(1).expand(400, -1, -1, -1)
    changed = augment(pictures, 0.05, CONFIG, seeded())
    untouched = ((changed - pictures).abs().amax(dim=(1, 2, 3)) < 1e-4).float().mean().item()
    # Nine changes; mirroring happens in half of its draws.
    assert untouched == pytest.approx(0.95**8 * 0.975, abs=0.07)


def test_greys_stay_grey() -> None:
    grey = smooth(20)[:, :1].expand(-1, 3, -1, -1)
    changed = augment(grey, 1.0, CONFIG, seeded())
    assert (changed.amax(dim=1) - changed.amin(dim=1)).max() < 1e-4


def test_it_lets_gradients_through() -> None:
    pictures = smooth(2).requires_grad_()
    augment(pictures, 1.0, CONFIG, seeded()).square().sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0


def test_p_follows_the_critic() -> None:
    probability = AdaptiveProbability(AugmentConfig(images=100, most=0.5))
    for _ in range(20):
        probability.observe(torch.ones(4))  # always sure
    assert probability.value == 0.5
    for _ in range(5):
        probability.observe(torch.tensor([1.0, -1.0, 1.0, -1.0]))
    assert probability.value == pytest.approx(0.3)
    for _ in range(50):
        probability.observe(-torch.ones(4))
    assert probability.value == 0.0
