"""How the student is taught: by pairs, by its teacher, and by critics (§3.3.2, equations 7-14)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.degradations.frr import FRRConfig, apply_frr, sample_frr
from lumiface.losses.distillation import inter_consistency_loss, intra_consistency_loss
from lumiface.losses.perceptual import VGGFeatures, perceptual_loss
from lumiface.methods.prior3d.discriminator import DualDiscriminator, adversarial_loss


class EnhancerRecipeConfig(Settings):
    """The weights of the losses, and which of them there are; defaults are the paper's (§4.1)."""

    supervision: Literal["consistency", "pseudo-labels", "pairs"] = Field(
        default="consistency",
        description="consistency: the paper's; pseudo-labels: variant 2, the teacher's output is the truth "
        "of what has none; pairs: variant 1, no teacher and nothing without truth",
    )
    distill: float = Field(default=0.5, ge=0, description="λ1: of the teacher")
    adversarial: float = Field(default=0.01, ge=0, description="λ2: of the critics")
    perceptual: float = Field(default=0.1, ge=0, description="λ3: of VGG's features")
    intra: float = Field(default=0.5, ge=0, description="λ4: of consistency within networks; 0: variant 3")
    inter: float = Field(default=0.5, ge=0, description="λ5: of consistency between networks; 0: variant 4")
    shrink: int = Field(
        default=1, ge=1, le=4, description="VGG sees pictures so many times smaller, at that much less cost"
    )
    frr: FRRConfig = Field(default=FRRConfig(), description="ranges of the darkening and the other damage")


class EnhancerRecipe(nn.Module):
    """The losses of student and critics; no random state of its own."""

    def __init__(self, config: EnhancerRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.seed = seed
        compares = (
            config.supervision == "consistency" and config.distill * (config.intra + config.inter) > 0.0
        )
        self.features = VGGFeatures() if config.perceptual > 0.0 or compares else None
        self.compares = compares

    @property
    def unpaired(self) -> bool:
        """Whether photographs without truth teach anything."""
        return self.config.supervision != "pairs"

    def build_discriminators(self) -> nn.Module | None:
        """The networks that judge the student, untrained; None where nobody does."""
        return DualDiscriminator() if self.unpaired and self.config.adversarial > 0.0 else None

    def darken(self, bright: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, H, W) in normal light -> the same, degraded as in §4.1."""
        drawn = sample_frr(len(bright), self.config.frr, generator, bright.device, bright.dtype)
        return apply_frr(bright, drawn, generator)

    def supervised_loss(self, output: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """L_label (equation 8), where nothing else teaches."""
        return self._label(output, truth, self._see(output))

    def forward(
        self,
        student_p: Tensor,
        student_u: Tensor,
        teacher_p: Tensor,
        teacher_u: Tensor,
        truth: Tensor,
        critics: Callable[[Tensor, Tensor], list[Tensor]] | None,
    ) -> dict[str, Tensor]:
        """The student's weighted losses by name (equation 7).

        Args:
            student_p, student_u: (B, 3, H, W), what the student made of paired and of unpaired photographs.
            teacher_p, teacher_u: the same of its teacher, without gradient.
            truth: (B, 3, H, W), I_p^gt.
            critics: D(candidate, reference).
        """
        settings = self.config
        seen_p = self._see(student_p)
        parts = self._label(student_p, truth, seen_p)
        if settings.supervision == "pseudo-labels":
            parts["pseudo"] = settings.distill * F.l1_loss(student_u, teacher_u)
        elif self.compares:
            with torch.no_grad():
                taught = self._see(teacher_p), self._see(teacher_u)
            seen = (seen_p, self._see(student_u), *taught)
            if settings.intra:
                parts["intra"] = settings.distill * settings.intra * intra_consistency_loss(*seen)
            if settings.inter:
                parts["inter"] = settings.distill * settings.inter * inter_consistency_loss(*seen)
        if critics is not None:
            parts["adversarial"] = settings.adversarial * adversarial_loss(critics(student_u, truth), 1.0)
        return parts

    def discriminator_loss(
        self, critics: Callable[[Tensor, Tensor], list[Tensor]], made: Tensor, truth: Tensor
    ) -> dict[str, Tensor]:
        """The critics' own loss: a real face beside another is 1, a made one 0 (least squares).

        Args:
            made: (B, 3, H, W), the student's, without gradient.
            truth: (B, 3, H, W), B >= 2: each is judged beside its neighbour.
        """
        real = adversarial_loss(critics(truth.roll(1, dims=0), truth), 1.0)
        return {"critics": 0.5 * (real + adversarial_loss(critics(made.detach(), truth), 0.0))}

    def _label(self, output: Tensor, truth: Tensor, seen: Sequence[Tensor]) -> dict[str, Tensor]:
        parts = {"l1": F.l1_loss(output, truth)}
        if self.config.perceptual:
            with torch.no_grad():
                wanted = self._see(truth)
            parts["perceptual"] = self.config.perceptual * perceptual_loss(seen, wanted)
        return parts

    def _see(self, picture: Tensor) -> Sequence[Tensor]:
        """VGG's features of pictures, made smaller by `shrink`; none, where no loss asks for them.

        NOTE(paper): the paper lets VGG see them at their own size, which `shrink: 1` does.
        """
        shrink = self.config.shrink
        if self.features is None:
            return ()
        return self.features(F.avg_pool2d(picture, shrink) if shrink > 1 else picture)
