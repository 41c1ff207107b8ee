"""How the 3D prior is taught: noise in the tri-planes of bright faces is to be told (§3.3.1, equation 6)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from lumiface.degradations.frr import FRRConfig, apply_frr, draw_frr
from lumiface.papers.prior3d.denoiser import to_diffusion
from lumiface.papers.prior3d.prior import Prior


class PriorRecipeConfig(BaseModel):
    """How photographs are made dark, and how x_0 is compared in variant 6."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frr: FRRConfig = Field(default=FRRConfig(), description="ranges of the darkening and the other damage")
    calibrate: int = Field(default=64, ge=2, description="faces from which x_0's scale is taken")


class PriorRecipe(nn.Module):
    """The loss of one training step; it has no random state of its own."""

    def __init__(self, config: PriorRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def darken(self, bright: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, H, W) in normal light -> the same, degraded as in §4.1."""
        drawn = draw_frr(len(bright), self.config.frr, generator, bright.device, bright.dtype)
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
        """The loss: how well the noise is told, or, for variant 6, x_0 itself.

        Args:
            prior: whose denoiser is taught.
            model: that denoiser as it is to be called: (x_t, I, t) -> ε.
            dark: (B, 3, H, W), I.
            planes: (B, 3, C, S, S), what the lifter made of the bright photographs.
            camera: (B, 25).
            generator: draws t and ε.
        """
        clean = prior.denoiser.normalise(to_diffusion(planes, camera))
        last = len(prior.schedule)
        if prior.config.drawn_by == "regression":
            t = torch.full((len(clean),), last, device=clean.device)
            return {"clean": F.mse_loss(model(torch.zeros_like(clean), dark, t).float(), clean)}
        t = torch.randint(1, last + 1, (len(clean),), generator=generator, device=generator.device)
        noise = torch.randn(clean.shape, generator=generator, device=generator.device).to(clean)
        t = t.to(clean.device)
        noisy = prior.schedule.add_noise(clean, noise, t)
        return {"noise": F.mse_loss(model(noisy, dark, t).float(), noise)}
