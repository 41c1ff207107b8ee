"""A first lesson for the generator: to draw again the faces that it is shown.

Where no GPU is at hand, the game of generator and critic takes days to come to faces. An autoencoder comes to
blurred ones in an hour, and with the generator as its decoder it leaves one that can draw, but knows no way
from z to the codes of faces. That way is laid afterwards (`Generator.fit_mapping`): a normal distribution is
fitted to the codes of the training faces, and the mapping network set to draw from it (Ghosh et al. 2020,
"From Variational to Deterministic Autoencoders", §4: ex-post density estimation). The game goes on there.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.losses.pixel import l1_loss
from lumiface.losses.vgg19 import Backbone, VGG19Loss
from lumiface.methods.fusion_bfr.discriminator import Discriminator, DiscriminatorConfig, downsampling_blocks
from lumiface.methods.fusion_bfr.generator import Generator
from lumiface.methods.fusion_bfr.generator_recipe import (
    GeneratorRecipe,
    GeneratorRecipeConfig,
    Verdict,
)
from lumiface.methods.fusion_bfr.style_layers import EqualConv2d, EqualLinear, activate


class CodeEncoder(nn.Module):
    """A face -> its code w: the critic's layers without its clue of the batch.

    It ends with an activation because the mapping network does.

    Shape: (B, 3, R, R) in [-1, 1] -> (B, latent).
    """

    def __init__(self, config: DiscriminatorConfig, latent: int) -> None:
        super().__init__()
        self.from_rgb = EqualConv2d(3, config.channels_at(config.resolution), 1)
        self.blocks = downsampling_blocks(config)
        self.hidden, self.latent = (
            EqualLinear(config.channels_at(4) * 16, latent),
            EqualLinear(latent, latent),
        )

    def forward(self, picture: Tensor) -> Tensor:
        seen = self.blocks(activate(self.from_rgb(picture)))
        return activate(self.latent(activate(self.hidden(seen.flatten(1)))))


class Autoencoder(nn.Module):
    """Encoder and generator as one network; the mapping network is passed by.

    Shape: (B, 3, R, R) in [-1, 1] and what is added to codes, (B, latent) -> the face again, and its code.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        size = generator.config
        # As many channels as the generator has, from 4x4 on.
        critic = DiscriminatorConfig(
            resolution=size.resolution, channel_base=size.channel_base, max_channels=size.max_channels
        )
        self.encoder = CodeEncoder(critic, size.latent)
        self.generator = generator

    def forward(self, picture: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(picture)
        # The generator's own noise belongs to no face in particular.
        drawn = self.generator.synthesise(
            self.generator.broadcast_latent(code + noise), self.generator.zero_noise()
        )
        return drawn, code


class AutoencoderRecipeConfig(Settings):
    """The weights of the losses."""

    pixel: float = Field(default=1.0, ge=0, description="of the mean absolute difference")
    perceptual: float = Field(default=0.2, ge=0, description="of VGG-19's features before activation")
    backbone: Backbone = Field(default="vgg19-conv3_1", description="which VGG-19: see the perceptual loss")
    shrink: int = Field(
        default=1, ge=1, le=4, description="VGG-19 sees faces so many times smaller, at that much less cost"
    )
    noise: float = Field(
        default=0.2, ge=0, description="deviation of the noise on codes: faces of near codes are alike"
    )
    code: float = Field(
        default=0.01, ge=0, description="of the codes' mean square, so that they do not outgrow the noise"
    )
    adversarial: float = Field(default=0.0, ge=0, description="of a critic's verdicts; 0: there is no critic")
    gan: dict[str, Any] = Field(
        default_factory=lambda: {"augment": None}, description="settings of the critic's side of that game"
    )


class AutoencoderRecipe(nn.Module):
    """The losses of the autoencoder, and of a critic where the settings want one."""

    def __init__(self, config: AutoencoderRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.perceptual = VGG19Loss(config.backbone) if config.perceptual else None
        self.gan = GeneratorRecipe(GeneratorRecipeConfig.model_validate(config.gan), seed)

    def build_discriminator(self, generator: Generator) -> Discriminator | None:
        """An untrained critic of what is drawn again; None where nobody judges."""
        return self.gan.build_discriminator(generator) if self.config.adversarial else None

    def assemble(self, generator: Generator) -> Autoencoder:
        """What is trained: an untrained encoder, and the generator but for its mapping network."""
        generator.mapping.requires_grad_(requires_grad=False)
        return Autoencoder(generator)

    def noise(self, count: int, latent: int, draw: torch.Generator) -> Tensor:
        """What is added to the codes of a step, (count, latent)."""
        return self.config.noise * torch.randn(count, latent, generator=draw)

    def forward(
        self, drawn: Tensor, face: Tensor, code: Tensor, critic: Verdict | None, draw: torch.Generator
    ) -> dict[str, Tensor]:
        """The weighted losses by name; faces (B, 3, R, R) in [-1, 1], codes (B, latent)."""
        settings = self.config
        ours, truth = 0.5 * (drawn + 1.0), 0.5 * (face + 1.0)
        parts = {
            "pixel": settings.pixel * l1_loss(ours, truth),
            "code": settings.code * code.square().mean(),
        }
        if self.perceptual is not None:
            smaller = (F.avg_pool2d(picture, settings.shrink) for picture in (ours, truth))
            parts["perceptual"] = settings.perceptual * self.perceptual(*smaller)
        if critic is not None:
            (verdict,) = self.gan.generator_loss(critic, drawn, draw).values()
            parts["adversarial"] = settings.adversarial * verdict
        return parts
