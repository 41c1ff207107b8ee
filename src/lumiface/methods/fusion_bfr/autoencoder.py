"""Pretraining of the generator as the decoder of an autoencoder.

Without a GPU, adversarial training takes days to produce faces. An autoencoder produces blurred ones in an
hour, and with the generator as its decoder it leaves a pretrained synthesis network, whose mapping from z to
latents is still untrained. The mapping is fitted afterwards (`Generator.fit_mapping`): a normal distribution
is fitted to the latents of the training faces, and the mapping network set to sample from it (Ghosh et al.
2020, "From Variational to Deterministic Autoencoders", §4: ex-post density estimation). Adversarial training
continues from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.draws import RandomSource, randn
from lumiface.core.settings import Settings
from lumiface.losses.pixel import l1_loss
from lumiface.losses.vgg19 import Backbone, VGG19Loss
from lumiface.methods.fusion_bfr.discriminator import Discriminator, DiscriminatorConfig, DownsamplingBlocks
from lumiface.methods.fusion_bfr.generator import Generator
from lumiface.methods.fusion_bfr.generator_recipe import (
    DiscriminatorFn,
    GeneratorRecipe,
    GeneratorRecipeConfig,
)
from lumiface.methods.fusion_bfr.precision import float32_math, to_float32
from lumiface.methods.fusion_bfr.style_layers import EqualConv2d, EqualLinear, activate


class LatentEncoder(nn.Module):
    """A face -> its latent w: the discriminator's layers without the minibatch standard deviation.

    It ends with an activation because the mapping network does.

    Shape: (B, 3, R, R) in [-1, 1] -> (B, latent).
    """

    old_child_names: ClassVar[dict[str, str]] = {"from_colour": "from_rgb", "to" + "ld": "latent"}

    def __init__(self, config: DiscriminatorConfig, latent: int) -> None:
        super().__init__()
        self.from_rgb = EqualConv2d(3, config.channels_at(config.resolution), 1)
        self.blocks = DownsamplingBlocks(config)
        self.hidden, self.latent = (
            EqualLinear(config.channels_at(4) * 16, latent),
            EqualLinear(latent, latent),
        )

    def forward(self, image: Tensor) -> Tensor:
        features = to_float32(self.blocks(activate(self.from_rgb(image))))
        with float32_math(image):
            return activate(self.latent(activate(self.hidden(features.flatten(1)))))


class Autoencoder(nn.Module):
    """Encoder and generator as one network; the mapping network is bypassed.

    Shape: (B, 3, R, R) in [-1, 1] and noise on the latents, (B, latent) -> the reconstructed faces and their
    latents.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        size = generator.config
        # As many channels as the generator has, down to 4x4.
        encoder = DiscriminatorConfig(
            resolution=size.resolution, channel_base=size.channel_base, max_channels=size.max_channels
        )
        self.encoder = LatentEncoder(encoder, size.latent)
        self.generator = generator

    def forward(self, image: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        w = self.encoder(image)
        # Without the generator's noise inputs, which cannot be inferred from a face.
        reconstruction = self.generator.synthesise(
            self.generator.broadcast_latent(w + noise), self.generator.zero_noise()
        )
        return reconstruction, w


class AutoencoderRecipeConfig(Settings):
    """The weights of the losses."""

    old_names: ClassVar[Mapping[str, str]] = {
        "game": "gan",
        "shrink": "vgg_downscale",
        "code": "latent_reg",
        "noise": "latent_noise",
    }

    pixel: float = Field(default=1.0, ge=0, description="weight of the mean absolute difference")
    perceptual: float = Field(default=0.2, ge=0, description="weight of VGG-19's pre-activation features")
    backbone: Backbone = Field(default="vgg19-conv3_1", description="which VGG-19: see the perceptual loss")
    vgg_downscale: int = Field(
        default=1,
        ge=1,
        le=4,
        description="factor by which images are reduced for VGG-19, to save computation",
    )
    latent_noise: float = Field(
        default=0.2,
        ge=0,
        description="standard deviation of the noise on latents, which smooths the latent space",
    )
    latent_reg: float = Field(
        default=0.01,
        ge=0,
        description="weight of the latents' mean square: without it they would outgrow the noise",
    )
    adversarial: float = Field(
        default=0.0, ge=0, description="weight of the adversarial loss; 0: no discriminator"
    )
    gan: dict[str, Any] = Field(
        default_factory=lambda: {"augment": None},
        description="settings of discriminator and adversarial loss, as in the recipe of stylegan2",
    )


class AutoencoderRecipe(nn.Module):
    """The losses of the autoencoder, and of a discriminator with an adversarial loss."""

    old_child_names: ClassVar[dict[str, str]] = {"game": "gan"}

    def __init__(self, config: AutoencoderRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.perceptual = VGG19Loss(config.backbone) if config.perceptual else None
        self.gan = GeneratorRecipe(GeneratorRecipeConfig.model_validate(config.gan), seed)

    def build_discriminator(self, network: Generator) -> Discriminator | None:
        """An untrained discriminator of reconstructions; None without an adversarial loss."""
        return self.gan.build_discriminator(network) if self.config.adversarial else None

    def assemble(self, generator: Generator) -> Autoencoder:
        """The trained network: an untrained encoder, and the generator with its mapping network frozen."""
        generator.mapping.requires_grad_(requires_grad=False)
        return Autoencoder(generator)

    def sample_noise(self, count: int, latent: int, generator: RandomSource) -> Tensor:
        """Noise for the latents of a step, (count, latent), on the generator's device."""
        return self.config.latent_noise * randn((count, latent), generator)

    def forward(
        self,
        output: Tensor,
        target: Tensor,
        latents: Tensor,
        discriminator: DiscriminatorFn | None,
        generator: RandomSource,
    ) -> dict[str, Tensor]:
        """The weighted losses by name.

        Args:
            output, target: reconstructed and original faces, (B, 3, R, R) in [-1, 1].
            latents: (B, latent).
            discriminator: faces in [-1, 1] -> logits; None: no adversarial loss.
            generator: source of the random numbers of the augmentation.
        """
        settings = self.config
        unit_output, unit_target = 0.5 * (output + 1.0), 0.5 * (target + 1.0)
        terms = {
            "pixel": settings.pixel * l1_loss(unit_output, unit_target),
            "latent_reg": settings.latent_reg * latents.square().mean(),
        }
        if self.perceptual is not None:
            reduced = (F.avg_pool2d(image, settings.vgg_downscale) for image in (unit_output, unit_target))
            terms["perceptual"] = settings.perceptual * self.perceptual(*reduced)
        if discriminator is not None:
            (loss,) = self.gan.generator_loss(discriminator, output, generator).values()
            terms["adversarial"] = settings.adversarial * loss
        return terms
