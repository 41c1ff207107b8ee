"""The recipe of the 3D prior: denoising the tri-planes of bright faces (§3.3.1, equation 6)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.degradations.frr import FRRConfig, apply_frr, sample_frr
from lumiface.methods.prior3d.prior import Prior


class PriorRecipeConfig(Settings):
    """The degradation of the images, the normalisation of x_0, and the loss."""

    frr: FRRConfig = Field(default=FRRConfig(), description="ranges of the FRR-Net degradation")
    calibrate: int = Field(
        default=256, ge=2, description="number of faces that the normalisation of x_0 is fitted to"
    )
    weighting: Literal["deviation", "none"] = Field(
        default="deviation",
        description="of the channels of x_0 in the loss: deviation: by the standard deviation of each, and "
        "the camera a tenth; none: the plain mean square, the paper's",
    )


class PriorRecipe(nn.Module):
    """The loss of one training step; it has no random state."""

    def __init__(self, config: PriorRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def darken(self, bright: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, H, W) in normal light -> the same size, degraded as in §4.1."""
        parameters = sample_frr(len(bright), self.config.frr, generator, bright.device, bright.dtype)
        return apply_frr(bright, parameters, generator)

    def forward(
        self,
        prior: Prior,
        model: nn.Module,
        dark: Tensor,
        planes: Tensor,
        camera: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The squared error of the estimate of ε (equation 6) or of x_0; for variant 6 x_t is zeros.

        NOTE(paper): equation 6 compares the noise, as is done for a denoiser with `predicts: noise`. By
        default x_0 is compared, whose error is that of ε times √(1-ᾱ_t)/√ᾱ_t: high t, which few-step sampling
        relies on, weighs most instead of least; and the channels are weighted (`weighting`).

        Args:
            prior: the network with schedule and normaliser.
            model: its denoiser, possibly wrapped: (x_t, I, t) -> x_0 or ε.
            dark: (B, 3, H, W), I.
            planes: (B, 3, C, S, S), the lifter's output for the bright images.
            camera: (B, 25).
            generator: source of t and ε.
        """
        clean = prior.normalizer.normalise(planes, camera)
        schedule, predicts = prior.denoiser.schedule, prior.config.denoiser.predicts
        target = clean
        if prior.config.estimator == "regression":
            t = torch.full((len(clean),), len(schedule), device=clean.device)
            noisy = torch.zeros_like(clean)
        else:
            t = torch.randint(
                1, len(schedule) + 1, (len(clean),), generator=generator, device=generator.device
            )
            noise = torch.randn(clean.shape, generator=generator, device=generator.device).to(clean)
            t = t.to(clean.device)
            noisy = schedule.add_noise(clean, noise, t)
            target = noise if predicts == "noise" else clean
        difference = (model(noisy, dark, t).float() - target).square().mean(dim=(0, 2, 3))
        if self.config.weighting == "none":
            return {predicts: difference.mean()}
        return {predicts: (prior.normalizer.importance() * difference).sum()}
