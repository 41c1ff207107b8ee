"""How the 3D prior is taught: to take noise out of the tri-planes of bright faces (§3.3.1, equation 6)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.degradations.frr import FRRConfig, apply_frr, sample_frr
from lumiface.methods.prior3d.prior import Prior


class PriorRecipeConfig(Settings):
    """How photographs are made dark, and from how many faces x_0 takes its scale."""

    frr: FRRConfig = Field(default=FRRConfig(), description="ranges of the darkening and the other damage")
    calibrate: int = Field(default=256, ge=2, description="faces from which x_0's scale is taken")


class PriorRecipe(nn.Module):
    """The loss of one training step; it has no random state of its own."""

    def __init__(self, config: PriorRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def darken(self, bright: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, H, W) in normal light -> the same, degraded as in §4.1."""
        drawn = sample_frr(len(bright), self.config.frr, generator, bright.device, bright.dtype)
        return apply_frr(bright, drawn, generator)

    def forward(
        self,
        prior: Prior,
        model: nn.Module,
        dark: Tensor,
        planes: Tensor,
        camera: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The loss: how far what is left without the noise lies from x_0; alike for variant 6, from no x_t.

        NOTE(paper): equation 6 compares the noise. The difference in x_0 is that times √(1-ᾱ_t)/√ᾱ_t: high t,
        on which the few steps of drawing rest, weighs most instead of least.

        Args:
            prior: whose denoiser is taught.
            model: that denoiser as it is to be called: (x_t, I, t) -> x_0.
            dark: (B, 3, H, W), I.
            planes: (B, 3, C, S, S), what the lifter made of the bright photographs.
            camera: (B, 25).
            generator: draws t and ε.
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
