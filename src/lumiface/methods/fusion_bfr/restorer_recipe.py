"""How the restorer is taught: what a face looks like, whose it is, and its spectra (§1.3, equations 6-9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.settings import Settings
from lumiface.degradations.blind import BlindConfig, apply_blind, sample_blind
from lumiface.losses.identity import IdentityLoss
from lumiface.losses.mrfr import mrfr_loss
from lumiface.losses.pixel import l1_loss
from lumiface.losses.vgg19 import Backbone, VGG19Loss
from lumiface.methods.fusion_bfr.discriminator import Discriminator
from lumiface.methods.fusion_bfr.encoder import Encoder
from lumiface.methods.fusion_bfr.generator import Generator
from lumiface.methods.fusion_bfr.generator_recipe import GeneratorRecipe, GeneratorRecipeConfig


class RestorerRecipeConfig(Settings):
    """The weights of the losses (equation 9); defaults are the paper's."""

    perceptual: float = Field(default=1.0, ge=0, description="λ_per: of VGG-19's features")
    backbone: Backbone = Field(default="vgg19", description="which VGG-19: the paper's five layers, or three")
    identity: float = Field(default=10.0, ge=0, description="λ_id: of a face recogniser's embeddings")
    mrfr: float = Field(default=1.0, ge=0, description="λ_MRFR: of spectra at every scale; 0: w/o MRFR")
    # NOTE(paper): it names neither of these two; the networks it follows have both.
    pixel: float = Field(default=0.0, ge=0, description="of the mean absolute difference")
    adversarial: float = Field(default=0.0, ge=0, description="of a critic's verdicts; 0: there is no critic")
    gan: dict[str, Any] = Field(
        default_factory=lambda: {"augment": None}, description="settings of the critic's side of that game"
    )
    # NOTE(paper): it trains at 1 alone; what is never trained at 0 is no face there.
    random_fidelity_prob: float = Field(
        default=0.0, ge=0, le=1, description="share of the faces restored at a fidelity drawn from 0 to 1"
    )
    damage: BlindConfig = Field(default=BlindConfig(), description="ranges of the damage")


class RestorerRecipe(nn.Module):
    """The losses of restorer and critic."""

    def __init__(self, config: RestorerRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.perceptual = VGG19Loss(config.backbone) if config.perceptual else None
        self.identity = IdentityLoss() if config.identity else None
        self.gan = GeneratorRecipe(GeneratorRecipeConfig.model_validate(config.gan), seed)

    def build_discriminator(self, generator: Generator) -> Discriminator | None:
        """An untrained critic of what is restored; None where nobody judges."""
        return self.gan.build_discriminator(generator) if self.config.adversarial else None

    def damage(self, bright: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, H, H) in [0, 1] -> the same size, damaged (§2.1)."""
        settings = self.config.damage
        drawn = sample_blind(len(bright), bright.shape[-1], settings, generator, bright.device, bright.dtype)
        return apply_blind(bright, drawn, generator)

    def sample_fidelity(self, count: int, draw: torch.Generator) -> Tensor:
        """The fidelity at which each of a step's faces is restored, (count,)."""
        drawn = torch.rand(2, count, generator=draw)
        return torch.where(drawn[0] < self.config.random_fidelity_prob, drawn[1], 1.0)

    def forward(
        self,
        output: Tensor,
        truth: Tensor,
        encoder: Encoder,
        critic: Callable[[Tensor], Tensor] | None,
        draw: torch.Generator,
    ) -> dict[str, Tensor]:
        """The restorer's weighted losses by name.

        Args:
            output, truth: (B, 3, R, R) in [0, 1].
            encoder: the restorer's own; its features of both pictures are compared.
            critic: judges faces in [-1, 1].
            draw: for what the critic is shown.
        """
        settings, parts = self.config, dict[str, Tensor]()
        if self.perceptual is not None:
            parts["perceptual"] = settings.perceptual * self.perceptual(output, truth)
        if self.identity is not None:
            parts["identity"] = settings.identity * self.identity(output, truth)
        if settings.mrfr:
            parts["mrfr"] = settings.mrfr * mrfr_loss(*_features(encoder, output, truth))
        if settings.pixel:
            parts["pixel"] = settings.pixel * l1_loss(output, truth)
        if critic is not None:
            (verdict,) = self.gan.generator_loss(critic, 2.0 * output - 1.0, draw).values()
            parts["adversarial"] = settings.adversarial * verdict
        return parts


def _features(encoder: Encoder, output: Tensor, truth: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The spatial features of what was restored and of the truth.

    NOTE(paper): the encoder judges and does not learn by this loss; it would learn to see nothing, and the
    loss would be 0 for every picture.
    """
    seeing = {name: value.detach() for name, value in encoder.named_parameters()}
    with torch.no_grad():
        _, wanted = encoder(2.0 * truth - 1.0)
    _, found = functional_call(encoder, seeing, (2.0 * output - 1.0,))
    return found, wanted
