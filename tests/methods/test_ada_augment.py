"""Adaptive augmentation: the identity at p = 0, every transform at p = 1, and the control of p."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers import rand
from lumiface.methods.fusion_bfr.ada_augment import AugmentConfig, adapt_probability, augment

CONFIG = AugmentConfig()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def probability(p: float) -> Tensor:
    return torch.tensor(p, dtype=torch.float64)


def smooth(count: int) -> Tensor:
    """Smooth random images in [-1, 1]."""
    coarse = 2.0 * rand(count, 3, 6, 6) - 1.0
    return torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(-1, 1)


def test_p_0_changes_nothing() -> None:
    images = smooth(3)
    assert augment(images, probability(0.0), CONFIG, seeded()) is images
    tiny = augment(images, probability(1e-9), CONFIG, seeded())  # all the arithmetic, no transform applied
    torch.testing.assert_close(tiny, images, atol=1e-5, rtol=1e-4)


def test_images_are_transformed_reproducibly_and_independently() -> None:
    images = smooth(1).expand(6, -1, -1, -1)
    changed = augment(images, probability(1.0), CONFIG, seeded())
    assert torch.equal(changed, augment(images, probability(1.0), CONFIG, seeded()))
    assert changed.shape == images.shape
    distances = torch.cdist(changed.flatten(1), changed.flatten(1)).fill_diagonal_(torch.inf)
    assert distances.min() > 1.0


def test_p_is_the_probability_of_each_transform() -> None:
    images = smooth(1).expand(400, -1, -1, -1)
    changed = augment(images, probability(0.05), CONFIG, seeded())
    untouched = ((changed - images).abs().amax(dim=(1, 2, 3)) < 1e-4).float().mean().item()
    # Nine transforms; a flip happens in half of its samples.
    assert untouched == pytest.approx(0.95**8 * 0.975, abs=0.07)


def test_greys_stay_grey() -> None:
    grey = smooth(20)[:, :1].expand(-1, 3, -1, -1)
    changed = augment(grey, probability(1.0), CONFIG, seeded())
    assert (changed.amax(dim=1) - changed.amin(dim=1)).max() < 1e-4


def test_gradients_pass_through() -> None:
    images = smooth(2).requires_grad_()
    augment(images, probability(1.0), CONFIG, seeded()).square().sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_p_follows_the_sign_of_the_logits() -> None:
    config, p = AugmentConfig(images=100, max_p=0.5), probability(0.0)
    for _ in range(20):
        adapt_probability(p, torch.ones(4), config)  # overfitted
    assert p == 0.5
    for _ in range(5):
        adapt_probability(p, torch.tensor([1.0, -1.0, 1.0, -1.0]), config)
    assert p.item() == pytest.approx(0.3)
    for _ in range(50):
        adapt_probability(p, -torch.ones(4), config)
    assert p == 0.0
    adapt_probability(p, torch.tensor([1.0, 1.0, 1.0, 1.0, -1.0]), config)  # r_t is the target, 0.6
    assert p.item() == pytest.approx(0.05)
