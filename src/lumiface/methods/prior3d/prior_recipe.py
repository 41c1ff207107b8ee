"""The recipe of the 3D prior: denoising the tri-planes of bright faces (§3.3.1, equation 6)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.degradations.frr import FRRConfig, apply_frr, sample_frr
from lumiface.methods.prior3d.prior import Prior


class PriorRecipeConfig(Settings):
    """The degradation of the images, and how many faces the normalisation of x_0 is fitted to."""

    frr: FRRConfig = Field(default=FRRConfig(), description="ranges of the FRR-Net degradation")
    calibrate: int = Field(
        default=256, ge=2, description="number of faces that the normalisation of x_0 is fitted to"
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
        """The weighted squared error of the estimate of x_0; for variant 6 from zeros instead of x_t.

        NOTE(paper): equation 6 compares the noise. The error of x_0 is that error times √(1-ᾱ_t)/√ᾱ_t: high
        t, which few-step sampling relies on, weighs most instead of least.

        Args:
            prior: the network with schedule and normaliser.
            model: its denoiser, possibly wrapped: (x_t, I, t) -> x_0.
            dark: (B, 3, H, W), I.
            planes: (B, 3, C, S, S), the lifter's output for the bright images.
            camera: (B, 25).
            generator: source of t and ε.
        """
        clean = prior.normalizer.normalise(planes, camera)
        schedule = prior.denoiser.schedule
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
        difference = (model(noisy, dark, t).float() - clean).square().mean(dim=(0, 2, 3))
        return {"clean": (prior.normalizer.importance() * difference).sum()}
