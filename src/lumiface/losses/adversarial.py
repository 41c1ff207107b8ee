"""Adversarial losses and regularisers of StyleGAN2.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", §3 and Table 1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def generator_loss(fake: Tensor) -> Tensor:
    r"""The generator's loss, non-saturating, :math:`E[-\log \sigma(D(G(z)))]`.

    Args:
        fake: logits of generated images, any shape; higher: more real.

    Source:
        Goodfellow et al. 2014, "Generative Adversarial Nets", §3.
    """
    return F.softplus(-fake).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    r"""The discriminator's loss, :math:`E[-\log \sigma(D(x))] + E[-\log(1 - \sigma(D(G(z))))]`.

    Args:
        real, fake: logits of real and of generated images, any shapes.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def r1_penalty(logits: Tensor, real: Tensor) -> Tensor:
    r"""Squared gradient at real images, :math:`E[||\nabla_x D(x)||_2^2]`; times γ/2 it is R1.

    Args:
        logits: (B,), of `real`.
        real: (B, 3, H, W), which must require a gradient.

    Source:
        Mescheder, Geiger, Nowozin 2018, "Which Training Methods for GANs do actually Converge?", equation 9.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().sum(dim=tuple(range(1, gradient.ndim))).mean()


def path_length(fake: Tensor, latents: Tensor, noise: Tensor) -> Tensor:
    r"""Path length, :math:`||J_w^T y||_2` for y ~ N(0, I): sensitivity of the image to its latents.

    Args:
        fake: (B, 3, H, W), generated from `latents`.
        latents: (B, n, latent), W+; the squares are averaged over the n layers.
        noise: like `fake`, standard normal.

    Returns:
        (B,).

    Source:
        Karras et al. 2020, equation 4; y divided by √(H·W), as their code does.
    """
    y = noise / math.sqrt(fake.shape[-2] * fake.shape[-1])
    (gradient,) = torch.autograd.grad((fake * y).sum(), latents, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


class DiscriminatorLoss(nn.Module):
    """`discriminator_loss` as a module."""

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        return discriminator_loss(real, fake)


class GeneratorLoss(nn.Module):
    """`generator_loss` as a module."""

    def forward(self, fake: Tensor) -> Tensor:
        return generator_loss(fake)
