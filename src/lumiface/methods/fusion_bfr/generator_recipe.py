"""How the generative prior is taught: StyleGAN2's game, with adaptive augmentation for few faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.losses.adversarial import discriminator_loss, generator_loss, path_length, r1_penalty
from lumiface.methods.fusion_bfr.ada_augment import AdaptiveProbability, AugmentConfig, augment
from lumiface.methods.fusion_bfr.discriminator import Discriminator, DiscriminatorConfig
from lumiface.methods.fusion_bfr.generator import Generator

Verdict = Callable[[Tensor], Tensor]
"""Faces (B, 3, R, R) -> verdicts (B,)."""


class GeneratorRecipeConfig(Settings):
    """The weights of the game's parts, and how often the costly ones are looked at."""

    r1: float = Field(
        default=1.0, ge=0, description="γ: of the critic's slope at real faces; StyleGAN2-ADA: R²·0.0002/B"
    )
    r1_every: int = Field(default=16, ge=1, description="steps between two looks at that slope")
    path: float = Field(default=2.0, ge=0, description="of the evenness of the generator's paths; 0: none")
    path_every: int = Field(default=8, ge=1, description="steps between two looks at the paths")
    discriminator_warmup_steps: int = Field(
        default=0,
        ge=0,
        description="steps in which the critic learns alone: a generator that can draw is not led astray by "
        "one that knows nothing yet",
    )
    mixing: float = Field(default=0.9, ge=0, le=1, description="share of faces drawn from two codes")
    augment: AugmentConfig | None = Field(
        default=AugmentConfig(), description="none: the critic sees faces as they are"
    )
    critic: dict[str, Any] = Field(
        default_factory=dict, description="settings of the critic besides its size"
    )


class GeneratorRecipe(nn.Module):
    """The losses of generator and critic.

    It remembers the augmentation's probability and the mean length of the generator's paths.
    """

    def __init__(self, config: GeneratorRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.probability = AdaptiveProbability(config.augment or AugmentConfig())
        self.register_buffer("p", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean_path", torch.zeros(()))
        self.p: Tensor
        self.mean_path: Tensor

    def build_discriminator(self, generator: Generator) -> Discriminator:
        """An untrained critic for a generator's faces, as wide as the generator unless set otherwise."""
        size = generator.config
        settings = {
            "resolution": size.resolution,
            "channel_base": size.channel_base,
            "max_channels": size.max_channels,
        } | self.config.critic
        return Discriminator(DiscriminatorConfig.model_validate(settings))

    def codes(self, generator: Generator, count: int, draw: torch.Generator, device: torch.device) -> Tensor:
        """W+ of new faces (count, codes, latent); most have one code for coarse, another for fine layers."""
        z = torch.randn(2, count, generator.config.latent, generator=draw).to(device)
        one, other = (generator.broadcast_latent(generator.mapping(part)) for part in z)
        cut = torch.randint(1, generator.config.codes, (count, 1), generator=draw)
        keep = torch.rand(count, 1, generator=draw) >= self.config.mixing
        coarse = (torch.arange(generator.config.codes)[None] < cut) | keep
        return torch.where(coarse[:, :, None].to(device), one, other)

    def discriminator_loss(
        self, critic: Verdict, real: Tensor, made: Tensor, draw: torch.Generator
    ) -> dict[str, Tensor]:
        """The critic's loss, and how sure it was told to the augmentation."""
        real_verdicts = critic(self._changed(real, draw))
        loss = discriminator_loss(real_verdicts, critic(self._changed(made, draw)))
        if self.config.augment is not None:
            self.probability.observe(real_verdicts.detach())
            self.p.fill_(self.probability.value)
        return {"critic": loss}

    def r1_loss(self, critic: Verdict, real: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """R1, on faces as the critic sees them; times the steps between two looks."""
        real = real.detach().requires_grad_()
        penalty = r1_penalty(critic(self._changed(real, draw)), real)
        return {"r1": 0.5 * self.config.r1 * self.config.r1_every * penalty}

    def discriminator_steps(
        self, critic: Verdict, real: Tensor, made: Tensor, step: int, draw: torch.Generator
    ) -> Iterator[dict[str, Tensor]]:
        """The parts of each of the critic's turns in a step; faces (B, 3, R, R) in [-1, 1]."""
        yield self.discriminator_loss(critic, real, made, draw)
        if self.config.r1 and step % self.config.r1_every == 0:
            yield self.r1_loss(critic, real, draw)

    def generator_loss(self, critic: Verdict, made: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """The generator's loss."""
        return {"generator": generator_loss(critic(self._changed(made, draw)))}

    def path_length_loss(self, made: Tensor, codes: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """How far path lengths are from their moving mean; times the steps between two looks."""
        noise = torch.randn(made.shape, generator=draw).to(made)
        lengths = path_length(made, codes, noise)
        with torch.no_grad():
            self.mean_path.lerp_(lengths.mean().to(self.mean_path), 0.01)
        penalty = (lengths - self.mean_path).square().mean()
        return {"path": self.config.path * self.config.path_every * penalty}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        found = super().load_state_dict(state_dict, strict, assign)
        self.probability.value = float(self.p)
        return found

    def _changed(self, faces: Tensor, draw: torch.Generator) -> Tensor:
        settings = self.config.augment
        return faces if settings is None else augment(faces, self.probability.value, settings, draw)
