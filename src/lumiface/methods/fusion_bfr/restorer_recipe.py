"""The recipe of the restorer: perceptual, identity and frequency losses (§1.3, equations 6-9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.draws import RandomSource, rand
from lumiface.core.settings import Settings
from lumiface.degradations.blind import BlindConfig, apply_blind, sample_blind
from lumiface.degradations.camera_pipeline import CameraConfig
from lumiface.degradations.dark_blind import (
    DarkBlindConfig,
    RelightError,
    apply_dark_blind,
    is_darkened,
    relight_to,
    sample_dark_blind,
)
from lumiface.degradations.lowlight import expand_bchw
from lumiface.losses.features_of_both import features_of_both
from lumiface.losses.identity import IdentityLoss
from lumiface.losses.mrfr import MapCount, mrfr_loss
from lumiface.losses.pixel import l1_loss
from lumiface.losses.vgg19 import Backbone, VGG19Loss
from lumiface.methods.fusion_bfr.discriminator import Discriminator
from lumiface.methods.fusion_bfr.encoder import Encoder
from lumiface.methods.fusion_bfr.generator import Generator
from lumiface.methods.fusion_bfr.generator_recipe import (
    DiscriminatorFn,
    GeneratorRecipe,
    GeneratorRecipeConfig,
)


class RestorerRecipeConfig(Settings):
    """The weights of the losses (equation 9); defaults are the paper's."""

    old_names: ClassVar[Mapping[str, str]] = {
        "game": "gan",
        "varied": "random_fidelity_prob",
        "damage": "degradation",
    }

    perceptual: float = Field(default=1.0, ge=0, description="λ_per: weight of VGG-19's features")
    # NOTE(paper): what ships was trained with three layers, up to conv3_1.
    backbone: Backbone = Field(default="vgg19", description="which VGG-19: the paper's five layers, or three")
    identity: float = Field(default=10.0, ge=0, description="λ_id: weight of a face recogniser's embeddings")
    mrfr: float = Field(
        default=1.0, ge=0, description="λ_MRFR: weight of the spectra at every scale; 0: w/o MRFR"
    )
    # NOTE(paper): what ships was trained with `scale`.
    mrfr_maps: MapCount = Field(
        default="cumulative",
        description="t_j counts the maps of all scales up to j, as the paper says, or of scale j alone",
    )
    # NOTE(paper): it mentions neither of these two; the networks it follows have both.
    pixel: float = Field(default=0.0, ge=0, description="weight of the mean absolute difference")
    adversarial: float = Field(
        default=0.0, ge=0, description="weight of the adversarial loss; 0: no discriminator"
    )
    gan: dict[str, Any] = Field(
        default_factory=lambda: {"augment": None},
        description="settings of discriminator and adversarial loss, as in the recipe of stylegan2",
    )
    # NOTE(paper): it trains at fidelity 1 alone; a network that was never trained at 0 gives no face there.
    random_fidelity_prob: float = Field(
        default=0.0, ge=0, le=1, description="probability that a face is restored at a random fidelity"
    )
    degradation: BlindConfig = Field(default=BlindConfig(), description="ranges of the degradation")
    dark: CameraConfig | None = Field(
        default=None,
        description="faces are darkened, too, and get their light back up to an error; null: not",
    )
    relight: RelightError = Field(default=RelightError(), description="that error")


class RestorerRecipe(nn.Module):
    """The losses of restorer and discriminator."""

    old_child_names: ClassVar[dict[str, str]] = {"game": "gan"}

    def __init__(self, config: RestorerRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.dark_ranges = (
            None if config.dark is None else DarkBlindConfig(dark=config.dark, damage=config.degradation)
        )
        self.perceptual = VGG19Loss(config.backbone) if config.perceptual else None
        self.identity = IdentityLoss() if config.identity else None
        self.gan = GeneratorRecipe(GeneratorRecipeConfig.model_validate(config.gan), seed)

    def build_discriminator(self, network: Generator) -> Discriminator | None:
        """An untrained discriminator of restored faces; None without an adversarial loss."""
        return self.gan.build_discriminator(network) if self.config.adversarial else None

    def degrade(self, target: Tensor, generator: RandomSource) -> Tensor:
        """(B, 3, H, H) in [0, 1] -> the same size, degraded (§2.1); with `dark` also darkened and relit."""
        settings, count, side = self.config, len(target), target.shape[-1]
        device, dtype = target.device, target.dtype
        if self.dark_ranges is None:
            blind = sample_blind(count, side, settings.degradation, generator, device, dtype)
            return apply_blind(target, blind, generator)
        parameters = sample_dark_blind(count, side, self.dark_ranges, generator, device, dtype)
        degraded = apply_dark_blind(target, parameters, generator)
        relit = relight_to(degraded, target, settings.relight, generator)
        return torch.where(expand_bchw(is_darkened(parameters)), relit, degraded)

    def sample_fidelity(self, count: int, generator: RandomSource) -> Tensor:
        """The fidelity at which each face of a step is restored, (count,): 1, or uniform in [0, 1].

        On the generator's device.
        """
        uniform = rand((2, count), generator)
        return torch.where(uniform[0] < self.config.random_fidelity_prob, uniform[1], 1.0)

    def forward(
        self,
        output: Tensor,
        target: Tensor,
        encoder: Encoder,
        discriminator: DiscriminatorFn | None,
        generator: RandomSource,
    ) -> dict[str, Tensor]:
        """The restorer's weighted losses by name.

        Args:
            output, target: (B, 3, R, R) in [0, 1].
            encoder: the restorer's own; MRFR compares its features of both images.
            discriminator: faces in [-1, 1] -> logits; None: no adversarial loss.
            generator: source of the random numbers of the augmentation.
        """
        settings = self.config
        terms: dict[str, Tensor] = {}
        if self.perceptual is not None:
            terms["perceptual"] = settings.perceptual * self.perceptual(output, target)
        if self.identity is not None:
            terms["identity"] = settings.identity * self.identity(output, target)
        if settings.mrfr:
            terms["mrfr"] = settings.mrfr * mrfr_loss(*_features(encoder, output, target), settings.mrfr_maps)
        if settings.pixel:
            terms["pixel"] = settings.pixel * l1_loss(output, target)
        if discriminator is not None:
            (loss,) = self.gan.generator_loss(discriminator, 2.0 * output - 1.0, generator).values()
            terms["adversarial"] = settings.adversarial * loss
        return terms


def _features(encoder: Encoder, output: Tensor, target: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The spatial features of output and target.

    NOTE(paper): the encoder's parameters get no gradient from this loss; with one, constant features would
    minimise it.
    """
    frozen = {name: value.detach() for name, value in encoder.named_parameters()}
    return features_of_both(
        lambda faces: functional_call(encoder, frozen, (2.0 * faces - 1.0,))[1], output, target
    )
