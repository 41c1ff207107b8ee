"""The recipe of the student: paired, distillation and adversarial losses (§3.3.2, equations 7-14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.degradations.frr import FRRConfig, apply_frr, sample_frr
from lumiface.losses.distillation import IntraReading, inter_consistency_loss, intra_consistency_loss
from lumiface.losses.perceptual import VGGFeatures, perceptual_loss
from lumiface.methods.prior3d.discriminator import DualDiscriminator, adversarial_loss

DiscriminatorFn = Callable[[Tensor, Tensor], list[Tensor]]
"""D(candidate, reference), both (B, 3, H, W) -> logits of both discriminators."""


class EnhancerRecipeConfig(Settings):
    """The weights of the losses, and which of them are used; defaults are the paper's (§4.1)."""

    old_names: ClassVar[Mapping[str, str]] = {"taught_by": "supervision", "shrink": "vgg_downscale"}
    old_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"supervision": {"pairs": "paired"}}

    supervision: Literal["consistency", "pseudo-labels", "paired"] = Field(
        default="consistency",
        description="consistency: the paper's; pseudo-labels: variant 2, the teacher's output is the target "
        "of unpaired images; paired: variant 1, no teacher and no unpaired images",
    )
    distill: float = Field(default=0.5, ge=0, description="λ1: weight of distillation")
    adversarial: float = Field(default=0.01, ge=0, description="λ2: weight of the adversarial loss")
    perceptual: float = Field(default=0.1, ge=0, description="λ3: weight of VGG's features")
    intra: float = Field(
        default=0.5, ge=0, description="λ4: weight of consistency within networks; 0: variant 3"
    )
    intra_reading: IntraReading = Field(
        default=IntraReading(), description="how the equation of consistency within networks is read"
    )
    inter: float = Field(
        default=0.5, ge=0, description="λ5: weight of consistency between networks; 0: variant 4"
    )
    vgg_downscale: int = Field(
        default=1, ge=1, le=4, description="factor by which images are reduced for VGG, to save computation"
    )
    frr: FRRConfig = Field(default=FRRConfig(), description="ranges of the FRR-Net degradation")


class EnhancerRecipe(nn.Module):
    """The losses of student and discriminators; it has no random state."""

    def __init__(self, config: EnhancerRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.seed = seed
        consistency = (
            config.supervision == "consistency" and config.distill * (config.intra + config.inter) > 0.0
        )
        self.features = VGGFeatures() if config.perceptual > 0.0 or consistency else None
        self.consistency = consistency

    @property
    def unpaired(self) -> bool:
        """Whether training uses unpaired images."""
        return self.config.supervision != "paired"

    def build_discriminators(self) -> nn.Module | None:
        """The untrained discriminators; None without an adversarial loss."""
        return DualDiscriminator() if self.unpaired and self.config.adversarial > 0.0 else None

    def darken(self, bright: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, H, W) in normal light -> the same size, degraded as in §4.1."""
        parameters = sample_frr(len(bright), self.config.frr, generator, bright.device, bright.dtype)
        return apply_frr(bright, parameters, generator)

    def supervised_loss(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """L_label (equation 8), for training on pairs alone."""
        return self._label_terms(output, target, self._features(output))

    def forward(
        self,
        student_p: Tensor,
        student_u: Tensor,
        teacher_p: Tensor,
        teacher_u: Tensor,
        target: Tensor,
        discriminators: DiscriminatorFn | None,
    ) -> dict[str, Tensor]:
        """The student's weighted losses by name (equation 7).

        Args:
            student_p, student_u: (B, 3, H, W), the student's outputs for paired and for unpaired images.
            teacher_p, teacher_u: the teacher's outputs for the same images, without gradient.
            target: (B, 3, H, W), I_p^gt.
            discriminators: see `DiscriminatorFn`; None: no adversarial loss.
        """
        settings = self.config
        features_p = self._features(student_p)
        terms = self._label_terms(student_p, target, features_p)
        if settings.supervision == "pseudo-labels":
            terms["pseudo"] = settings.distill * F.l1_loss(student_u, teacher_u)
        elif self.consistency:
            with torch.no_grad():
                teacher_features = self._features(teacher_p), self._features(teacher_u)
            features = (features_p, self._features(student_u), *teacher_features)
            if settings.intra:
                loss = intra_consistency_loss(*features, settings.intra_reading)
                terms["intra"] = settings.distill * settings.intra * loss
            if settings.inter:
                terms["inter"] = settings.distill * settings.inter * inter_consistency_loss(*features)
        if discriminators is not None:
            loss = adversarial_loss(discriminators(student_u, target), 1.0)
            terms["adversarial"] = settings.adversarial * loss
        return terms

    def discriminator_loss(
        self, discriminators: DiscriminatorFn, fake: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """The discriminators' loss: target 1 for a real face beside another, 0 for a fake (least squares).

        Args:
            discriminators: see `DiscriminatorFn`.
            fake: (B, 3, H, W), the student's output, without gradient.
            target: (B, 3, H, W), B >= 2: the reference of each real face is the next one of the batch.
        """
        real = adversarial_loss(discriminators(target.roll(1, dims=0), target), 1.0)
        loss = 0.5 * (real + adversarial_loss(discriminators(fake.detach(), target), 0.0))
        return {"discriminators": loss}

    def _label_terms(self, output: Tensor, target: Tensor, features: Sequence[Tensor]) -> dict[str, Tensor]:
        terms = {"l1": F.l1_loss(output, target)}
        if self.config.perceptual:
            with torch.no_grad():
                target_features = self._features(target)
            terms["perceptual"] = self.config.perceptual * perceptual_loss(features, target_features)
        return terms

    def _features(self, image: Tensor) -> Sequence[Tensor]:
        """VGG's features of images reduced by `vgg_downscale`; empty, where no loss uses them.

        NOTE(paper): the paper uses VGG at full size, as `vgg_downscale: 1` does.
        """
        factor = self.config.vgg_downscale
        if self.features is None:
            return ()
        return self.features(F.avg_pool2d(image, factor) if factor > 1 else image)
