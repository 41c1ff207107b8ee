"""What a generator and its critic play for, and what keeps both of them smooth (StyleGAN2's losses).

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", §3 and Table 1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def generator_loss(made: Tensor) -> Tensor:
    r"""The generator's, non-saturating, :math:`E[-\log \sigma(D(G(z)))]`.

    Args:
        made: verdicts on faces that were made, any shape; higher: more real.

    Source:
        Goodfellow et al. 2014, "Generative Adversarial Nets", §3.
    """
    return F.softplus(-made).mean()


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    r"""The critic's, :math:`E[-\log \sigma(D(x))] + E[-\log(1 - \sigma(D(G(z))))]`.

    Args:
        real, made: verdicts on real faces and on faces that were made, any shapes.
    """
    return F.softplus(-real).mean() + F.softplus(made).mean()


def r1_penalty(verdicts: Tensor, real: Tensor) -> Tensor:
    r"""How steep the critic is at real faces, :math:`E[||\nabla_x D(x)||_2^2]`; times γ/2 it is R1.

    Args:
        verdicts: (B,), of `real`.
        real: (B, 3, H, W), which must require a gradient.

    Source:
        Mescheder, Geiger, Nowozin 2018, "Which Training Methods for GANs do actually Converge?", equation 9.
    """
    (slope,) = torch.autograd.grad(verdicts.sum(), real, create_graph=True)
    return slope.square().sum(dim=tuple(range(1, slope.ndim))).mean()


def path_length(made: Tensor, codes: Tensor, noise: Tensor) -> Tensor:
    r"""How much a picture changes with its code, :math:`||J_w^T y||_2` for y ~ N(0, I) over the pixels.

    Args:
        made: (B, 3, H, W), from `codes`.
        codes: (B, n, latent), W+; the squares are averaged over the n layers.
        noise: like `made`, standard normal.

    Returns:
        (B,).

    Source:
        Karras et al. 2020, equation 4; y divided by √(H·W), as their code does.
    """
    y = noise / math.sqrt(made.shape[-2] * made.shape[-1])
    (slope,) = torch.autograd.grad((made * y).sum(), codes, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()


class CriticLoss(nn.Module):
    """`discriminator_loss` as a module."""

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        return discriminator_loss(real, made)


class GeneratorLoss(nn.Module):
    """`generator_loss` as a module."""

    def forward(self, made: Tensor) -> Tensor:
        return generator_loss(made)
