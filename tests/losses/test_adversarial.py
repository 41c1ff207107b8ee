"""Adversarial losses: known values, and second-order gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli

from helpers import rand
from lumiface.losses import (
    DiscriminatorLoss,
    GeneratorLoss,
    discriminator_loss,
    generator_loss,
    path_length,
    r1_penalty,
)


def test_losses_are_negative_log_likelihoods() -> None:
    real, fake = torch.randn(5, dtype=torch.float64), torch.randn(7, dtype=torch.float64)
    expected = -Bernoulli(logits=real).log_prob(torch.ones_like(real)).mean()
    expected = expected - Bernoulli(logits=fake).log_prob(torch.zeros_like(fake)).mean()
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(
        generator_loss(fake), -Bernoulli(logits=fake).log_prob(torch.ones_like(fake)).mean()
    )
    zeros = torch.zeros(3)
    assert discriminator_loss(zeros, zeros).item() == pytest.approx(2 * math.log(2))
    assert DiscriminatorLoss()(real, fake) == discriminator_loss(real, fake)
    assert GeneratorLoss()(fake) == generator_loss(fake)
    assert generator_loss(torch.tensor([-200.0])).item() == pytest.approx(200.0)  # non-saturating


def test_r1_is_the_squared_gradient() -> None:
    weight, real = rand(3, 4, 4), rand(2, 3, 4, 4, seed=1).requires_grad_()
    linear = (real * weight).sum(dim=(1, 2, 3))
    assert r1_penalty(linear, real).item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_the_path_length_of_a_linear_generator() -> None:
    # image = A w for each of two layers: J^T y = A^T y, whose length is known.
    latents = rand(3, 2, 5, seed=1).requires_grad_()
    matrix, noise = rand(3 * 4 * 4, 5), rand(3, 3, 4, 4, seed=2) - 0.5
    fake = (latents.sum(dim=1) @ matrix.T).reshape(3, 3, 4, 4)
    expected = (noise.flatten(1) / 4 @ matrix).norm(dim=1)
    torch.testing.assert_close(path_length(fake, latents, noise), expected)


def test_gradients_of_all() -> None:
    fake = (rand(4, dtype=torch.float64) - 0.5).requires_grad_()
    real = (rand(4, seed=1, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(discriminator_loss, (real, fake))
    assert torch.autograd.gradcheck(generator_loss, (fake,))
    x = rand(2, 3, 3, 3, dtype=torch.float64)
    y = rand(2, 3, 2, 2, seed=2, dtype=torch.float64)

    def penalty(weight: Tensor) -> Tensor:
        real = x.clone().requires_grad_()
        return r1_penalty((weight * real.pow(3)).sum(dim=(1, 2, 3)), real)

    def length(weight: Tensor) -> Tensor:
        latents = rand(2, 2, 4, seed=3, dtype=torch.float64).requires_grad_()
        fake = torch.tanh(latents.sum(dim=1) @ weight).reshape(2, 3, 2, 2)
        return path_length(fake, latents, y)

    assert torch.autograd.gradcheck(penalty, (rand(3, 3, 3, seed=4, dtype=torch.float64).requires_grad_(),))
    assert torch.autograd.gradcheck(length, (rand(4, 12, seed=5, dtype=torch.float64).requires_grad_(),))
