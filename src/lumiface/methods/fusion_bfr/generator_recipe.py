"""The recipe of the generative prior: StyleGAN2's adversarial losses with adaptive augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.draws import RandomSource, rand, randint, randn
from lumiface.core.settings import Settings
from lumiface.losses.adversarial import discriminator_loss, generator_loss, path_length, r1_penalty
from lumiface.methods.fusion_bfr.ada_augment import (
    AugmentConfig,
    SampleTransforms,
    adapt_probability,
    augment,
    sample_transforms,
)
from lumiface.methods.fusion_bfr.discriminator import Discriminator, DiscriminatorConfig
from lumiface.methods.fusion_bfr.generator import Generator

DiscriminatorFn = Callable[[Tensor], Tensor]
"""Faces (B, 3, R, R) -> logits (B,)."""


class GeneratorRecipeConfig(Settings):
    """Weights of the adversarial losses, and the intervals of the lazy regularisation."""

    old_names: ClassVar[Mapping[str, str]] = {
        "path": "path_length",
        "path_every": "path_length_every",
        "head_start": "discriminator_warmup_steps",
        "cri" + "tic": "discriminator",
    }

    r1: float = Field(
        default=1.0, ge=0, description="R1 gamma of the discriminator; StyleGAN2-ADA: R²·0.0002/B"
    )
    r1_every: int = Field(default=16, ge=1, description="steps between two evaluations of R1")
    path_length: float = Field(default=2.0, ge=0, description="weight of path-length regularisation; 0: none")
    path_length_every: int = Field(
        default=8, ge=1, description="steps between two evaluations of path-length regularisation"
    )
    discriminator_warmup_steps: int = Field(
        default=0,
        ge=0,
        description="steps in which only the discriminator is trained: an untrained discriminator would "
        "degrade a pretrained generator",
    )
    mixing: float = Field(default=0.9, ge=0, le=1, description="probability of style mixing")
    augment: AugmentConfig | None = Field(
        default=AugmentConfig(), description="adaptive discriminator augmentation; null: none"
    )
    discriminator: dict[str, Any] = Field(
        default_factory=dict, description="settings of the discriminator besides its size"
    )


class GeneratorRecipe(nn.Module):
    """The losses of generator and discriminator.

    Its state is the augmentation probability and the moving average of the path lengths.

    Attributes:
        sample_transforms: of the augmentation; a run may compile it.
    """

    def __init__(self, config: GeneratorRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.group = DiscriminatorConfig.model_validate(config.discriminator).group
        self.sample_transforms: SampleTransforms = sample_transforms
        self.register_buffer("p", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean_path", torch.zeros(()))
        self.p: Tensor
        self.mean_path: Tensor

    def build_discriminator(self, network: Generator) -> Discriminator:
        """An untrained discriminator for a generator's faces, by default with as many channels."""
        size = network.config
        settings = {
            "resolution": size.resolution,
            "channel_base": size.channel_base,
            "max_channels": size.max_channels,
        } | self.config.discriminator
        return Discriminator(DiscriminatorConfig.model_validate(settings))

    def sample_latents(self, network: Generator, count: int, generator: RandomSource) -> Tensor:
        """W+ of random faces, (count, num_latents, latent), with style mixing.

        Most faces have one w for the coarse layers and another one for the fine layers.

        Args:
            network: the generator; its mapping network is used.
            generator: source of the random numbers, on the network's device.
        """
        device, layers = generator.device, network.config.num_latents
        z = randn((2, count, network.config.latent), generator)
        # A GPU has half the kernels of two calls in one; on a CPU the last bit would depend on it.
        halves = network.mapping(z.flatten(0, 1)).chunk(2) if z.is_cuda else map(network.mapping, z)
        coarse, fine = (network.broadcast_latent(w) for w in halves)
        crossover = randint(1, layers, (count, 1), generator)
        unmixed = rand((count, 1), generator) >= self.config.mixing
        is_coarse = (torch.arange(layers, device=device)[None] < crossover) | unmixed
        return torch.where(is_coarse[:, :, None], coarse, fine)

    def discriminator_loss(
        self, discriminator: DiscriminatorFn, real: Tensor, fake: Tensor, generator: RandomSource
    ) -> dict[str, Tensor]:
        """The discriminator's loss; also updates the augmentation probability."""
        if real.is_cuda and len(real) % self.group == 0:
            both = self._augment(alternate(real, fake), generator)
            real_logits, fake_logits = discriminator(both).unflatten(0, (-1, 2)).unbind(dim=1)
        else:
            real_logits = discriminator(self._augment(real, generator))
            fake_logits = discriminator(self._augment(fake, generator))
        loss = discriminator_loss(real_logits, fake_logits)
        if self.config.augment is not None:
            adapt_probability(self.p, real_logits, self.config.augment)
        return {"discriminator": loss}

    def r1_loss(
        self, discriminator: DiscriminatorFn, real: Tensor, generator: RandomSource
    ) -> dict[str, Tensor]:
        """R1 on augmented real faces, times the steps between two evaluations."""
        real = real.detach().requires_grad_()
        penalty = r1_penalty(discriminator(self._augment(real, generator)), real)
        return {"r1": 0.5 * self.config.r1 * self.config.r1_every * penalty}

    def discriminator_steps(
        self,
        discriminator: DiscriminatorFn,
        plain: DiscriminatorFn,
        real: Tensor,
        fake: Tensor,
        step: int,
        generator: RandomSource,
    ) -> Iterator[dict[str, Tensor]]:
        """The loss terms of each of the discriminator's optimizer steps in a training step.

        Args:
            discriminator: faces -> logits.
            plain: the same in float32 and not compiled, for R1, whose second derivative no compiled network
                has.
            real, fake: faces (B, 3, R, R) in [-1, 1].
            step: number of the training step, which decides whether R1 is evaluated.
            generator: source of the random numbers.
        """
        yield self.discriminator_loss(discriminator, real, fake, generator)
        if self.config.r1 and step % self.config.r1_every == 0:
            yield self.r1_loss(plain, real, generator)

    def generator_loss(
        self, discriminator: DiscriminatorFn, fake: Tensor, generator: RandomSource
    ) -> dict[str, Tensor]:
        """The generator's adversarial loss."""
        return {"generator": generator_loss(discriminator(self._augment(fake, generator)))}

    def path_length_loss(self, fake: Tensor, latents: Tensor, generator: RandomSource) -> dict[str, Tensor]:
        """Squared deviation of the path lengths from their moving average, times the steps between two."""
        noise = randn(fake.shape, generator).to(fake)
        lengths = path_length(fake, latents, noise)
        with torch.no_grad():
            self.mean_path.lerp_(lengths.mean().to(self.mean_path), 0.01)
        penalty = (lengths - self.mean_path).square().mean()
        return {"path_length": self.config.path_length * self.config.path_length_every * penalty}

    def _augment(self, faces: Tensor, generator: RandomSource) -> Tensor:
        settings = self.config.augment
        if settings is None:
            return faces
        return augment(faces, self.p, settings, generator, self.sample_transforms)


def alternate(real: Tensor, fake: Tensor) -> Tensor:
    """Real and fake faces for one call of the discriminator, which has half the kernels of two.

    Every face keeps the group that it has in a call of its own, see `minibatch_stddev`: groups are of every
    n-th image, and n is even if the number of faces, B, is a multiple of the group size.

    Returns:
        (2·B, 3, R, R): the first real face, the first fake one, the second real one ...
    """
    return torch.stack([real, fake], dim=1).flatten(0, 1)
