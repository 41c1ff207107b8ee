"""A first lesson for the generator: to draw again the faces that it is shown.

Where no GPU is at hand, the game of generator and critic takes days to come to faces. A variational
autoencoder (Kingma and Welling 2014, "Auto-Encoding Variational Bayes") comes to blurred ones in an hour, and
with the generator as its decoder, mapping network included, it leaves a generator that draws such faces from
z ~ N(0, I): the game goes on from there.
"""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from lumiface.losses.pixel import l1_loss
from lumiface.losses.vgg19 import Backbone, PreActivationLoss
from lumiface.papers.fusion_bfr.critic import CriticConfig, halving_blocks
from lumiface.papers.fusion_bfr.generator import Generator
from lumiface.papers.fusion_bfr.style_layers import EqualConv2d, EqualLinear, activate


class LatentEncoder(nn.Module):
    """A face -> what its latent z may be: a mean and the logarithm of a variance for each number.

    The critic's layers without its clue of the batch.

    Shape: (B, 3, R, R) in [-1, 1] -> two of (B, latent).
    """

    def __init__(self, config: CriticConfig, latent: int) -> None:
        super().__init__()
        last = config.width(4)
        self.from_colour = EqualConv2d(3, config.width(config.resolution), 1)
        self.blocks = halving_blocks(config)
        self.hidden, self.told = EqualLinear(last * 16, 2 * latent), EqualLinear(2 * latent, 2 * latent)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.blocks(activate(self.from_colour(picture)))
        mean, log_variance = self.told(activate(self.hidden(seen.flatten(1)))).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 4.0)


class Autoencoder(nn.Module):
    """Encoder and generator as one network.

    Shape: (B, 3, R, R) in [-1, 1] and normal noise (B, latent) -> the face again, its w, z's mean and
    log-variance.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        size = generator.config
        # As many channels as the generator has, from 4x4 on.
        critic = CriticConfig(resolution=size.resolution, base=size.base, most=size.most)
        self.encoder = LatentEncoder(critic, size.latent)
        self.generator = generator

    def forward(self, picture: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(picture)
        code = self.generator.mapping(mean + (0.5 * log_variance).exp() * noise)
        # Noise belongs to no face in particular.
        drawn = self.generator.synthesise(self.generator.spread(code), self.generator.silence())
        return drawn, code, mean, log_variance


class AutoencoderRecipeConfig(BaseModel):
    """The weights of the losses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pixel: float = Field(default=1.0, ge=0, description="of the mean absolute difference")
    perceptual: float = Field(default=0.2, ge=0, description="of VGG-19's features before activation")
    backbone: Backbone = Field(default="vgg19-conv3_1", description="which VGG-19: see the perceptual loss")
    shrink: int = Field(
        default=1, ge=1, le=4, description="VGG-19 sees faces so many times smaller, at that much less cost"
    )
    divergence: float = Field(
        default=1e-4, ge=0, description="of the divergence of z from N(0, I), nats summed over z"
    )


class AutoencoderRecipe(nn.Module):
    """The losses of the autoencoder; no random state of its own."""

    def __init__(self, config: AutoencoderRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.perceptual = PreActivationLoss(config.backbone) if config.perceptual else None

    def assemble(self, generator: Generator) -> Autoencoder:
        """The network that is trained: an untrained encoder before the generator."""
        return Autoencoder(generator)

    def forward(self, drawn: Tensor, face: Tensor, mean: Tensor, log_variance: Tensor) -> dict[str, Tensor]:
        """The weighted losses by name; faces (B, 3, R, R) in [-1, 1]."""
        settings = self.config
        ours, truth = 0.5 * (drawn + 1.0), 0.5 * (face + 1.0)
        parts = {
            "pixel": settings.pixel * l1_loss(ours, truth),
            "divergence": settings.divergence * divergence(mean, log_variance),
        }
        if self.perceptual is not None:
            smaller = (F.avg_pool2d(picture, settings.shrink) for picture in (ours, truth))
            parts["perceptual"] = settings.perceptual * self.perceptual(*smaller)
        return parts


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence of N(μ, σ²) from N(0, 1), summed over z, averaged over faces.

    Kingma and Welling 2014, appendix B. Two of (B, latent) -> scalar, nats.
    """
    nats = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0)
    return nats.sum(dim=1).mean()
