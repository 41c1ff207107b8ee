"""What generator and critic play for: known values, and gradients of gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli

from helpers import rand
from lumiface.losses import (
    CriticLoss,
    GeneratorLoss,
    discriminator_loss,
    generator_loss,
    path_length,
    r1_penalty,
)


def test_they_are_the_logarithms_of_likelihoods() -> None:
    real, made = torch.randn(5, dtype=torch.float64), torch.randn(7, dtype=torch.float64)
    expected = -Bernoulli(logits=real).log_prob(torch.ones_like(real)).mean()
    expected = expected - Bernoulli(logits=made).log_prob(torch.zeros_like(made)).mean()
    torch.testing.assert_close(discriminator_loss(real, made), expected)
    torch.testing.assert_close(
        generator_loss(made), -Bernoulli(logits=made).log_prob(torch.ones_like(made)).mean()
    )
    undecided = torch.zeros(3)
    assert discriminator_loss(undecided, undecided).item() == pytest.approx(2 * math.log(2))
    assert CriticLoss()(real, made) == discriminator_loss(real, made)
    assert GeneratorLoss()(made) == generator_loss(made)
    assert generator_loss(torch.tensor([-200.0])).item() == pytest.approx(200.0)  # it does not saturate


def test_the_penalty_is_the_slope_s_square() -> None:
    weight, real = rand(3, 4, 4), rand(2, 3, 4, 4, seed=1).requires_grad_()
    linear = (real * weight).sum(dim=(1, 2, 3))
    assert r1_penalty(linear, real).item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_the_path_s_length_is_that_of_a_linear_generator() -> None:
    # picture = A w for each of two layers: J^T y = A^T y, its length known.
    codes = rand(3, 2, 5, seed=1).requires_grad_()
    matrix, noise = rand(3 * 4 * 4, 5), rand(3, 3, 4, 4, seed=2) - 0.5
    made = (codes.sum(dim=1) @ matrix.T).reshape(3, 3, 4, 4)
    expected = (noise.flatten(1) / 4 @ matrix).norm(dim=1)
    torch.testing.assert_close(path_length(made, codes, noise), expected)


def test_gradients_of_all() -> None:
    made = (rand(4, dtype=torch.float64) - 0.5).requires_grad_()
    real = (rand(4, seed=1, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(discriminator_loss, (real, made))
    assert torch.autograd.gradcheck(generator_loss, (made,))
    x = rand(2, 3, 3, 3, dtype=torch.float64)
    y = rand(2, 3, 2, 2, seed=2, dtype=torch.float64)

    def penalty(weight: Tensor) -> Tensor:
        real = x.clone().requires_grad_()
        return r1_penalty((weight * real.pow(3)).sum(dim=(1, 2, 3)), real)

    def length(weight: Tensor) -> Tensor:
        codes = rand(2, 2, 4, seed=3, dtype=torch.float64).requires_grad_()
        made = torch.tanh(codes.sum(dim=1) @ weight).reshape(2, 3, 2, 2)
        return path_length(made, codes, y)

    assert torch.autograd.gradcheck(penalty, (rand(3, 3, 3, seed=4, dtype=torch.float64).requires_grad_(),))
    assert torch.autograd.gradcheck(length, (rand(4, 12, seed=5, dtype=torch.float64).requires_grad_(),))
