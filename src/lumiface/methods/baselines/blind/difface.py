"""DifFace: a rough estimate is made noisy, and a diffusion model of clean faces takes the noise away again.

Yue, Loy: "DifFace: Blind Face Restoration with Diffused Error Contraction" (TPAMI 2024), §3-4. Small, written
from the paper; nothing pretrained is loaded.

Exact: an estimator trained by regression; a diffusion model that never sees the degraded face; the start at
x_N with N = 0.4 T, made of the estimate; both trained without the other.
Deviations: 16 channels without attention instead of a pretrained model at 512 px; the estimator is a small
residual network instead of SRCNN or SwinIR; the diffusion model estimates the clean face, by the mean
absolute difference; DDIM in 10 steps from fixed noise instead of random sampling in 100. Both are trained
in one run: their gradients do not meet, except in the norm at which gradients are clipped.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.diffusion import NoiseSchedule
from lumiface.blocks.diffusion_unet import DiffusionUNet
from lumiface.blocks.noisy_pairs import fixed_noise, join_noisy, split_noisy
from lumiface.blocks.residual import ResidualBlock
from lumiface.core.draws import RandomSource
from lumiface.core.settings import Settings
from lumiface.degradations.tasks import PairTask
from lumiface.losses import l1_loss
from lumiface.methods.base_recipe import PairedRecipe

TIMESTEPS = 1000
"""T: steps of the forward process."""


class DifFaceConfig(Settings):
    """The configuration of the networks and the sampler; stored in every checkpoint."""

    channels: int = Field(default=16, ge=4, description="channels of both networks at full size")
    multipliers: tuple[int, ...] = Field(
        default=(1, 2, 4), min_length=2, description="channels per scale of the diffusion model"
    )
    blocks: int = Field(default=4, ge=1, description="residual blocks of the estimator")
    start: int = Field(
        default=400, ge=1, le=TIMESTEPS, description="N: the noise level from which it is sampled (paper 400)"
    )
    sampling_steps: int = Field(default=10, ge=1, le=400, description="steps of DDIM (paper 100, random)")
    seed: int = Field(default=0, ge=0, description="seed of the noise that is added to every estimate")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class Estimator(nn.Module):
    """The degraded face plus a residual; initially the face itself. (B, 3, H, W) -> (B, 3, H, W)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.zeros_(self.tail.weight)

    def forward(self, image: Tensor) -> Tensor:
        return image + self.tail(self.body(self.head(image)))


class DifFace(nn.Module):
    """x̂_0 = f(y), x_N = √ᾱ_N x̂_0 + √(1-ᾱ_N) ε, and from x_N back to x_0 (§3.2).

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped; in training
    (B, 7, H, W), the degraded face, x_t of the clean one and t/T -> (2·B, 3, H, W): the estimates from the
    degraded faces, then the diffusion model's estimates of the clean faces.
    """

    def __init__(self, config: DifFaceConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule(TIMESTEPS)
        self.estimator = Estimator(config.channels, config.blocks)
        self.unet = DiffusionUNet(3, 3, [config.channels * times for times in config.multipliers])

    def forward(self, image: Tensor) -> Tensor:
        if self.training:
            degraded, noisy, t = split_noisy(self.schedule, image)
            return torch.cat([self.estimator(degraded), 0.5 * (self.denoise(noisy, t) + 1.0)])
        rough = 2.0 * self.estimator(image).clamp(0.0, 1.0) - 1.0
        first = self.config.start
        t = torch.full((len(image),), first, dtype=torch.long, device=image.device)
        steps = min(self.config.sampling_steps, first)
        start = self.schedule.add_noise(rough, fixed_noise(image, self.config.seed), t)
        clean = self.schedule.ddim(self.denoise, start, steps, clip=1.0, first=first)
        return 0.5 * (clean + 1.0)

    def denoise(self, noisy: Tensor, t: Tensor) -> Tensor:
        """x_t (B, 3, H, W) and t (B,) from 1 to T -> estimate of x_0 in about [-1, 1]."""
        return noisy + self.unet(noisy, t)


class DifFaceRecipeConfig(Settings):
    """The settings of the loss."""

    estimator: float = Field(default=1.0, ge=0, description="weight of the estimator's loss")
    diffusion: float = Field(default=1.0, ge=0, description="weight of the diffusion model's loss")


class DifFaceRecipe(PairedRecipe):
    """Mean absolute difference of the estimate, and of the denoised face at a random noise level."""

    def __init__(self, config: DifFaceRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule(TIMESTEPS)

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: RandomSource
    ) -> tuple[Tensor, Tensor]:
        """As `PairedRecipe`, and x_t of the target (3 channels) and t/T (one) beside the degraded face."""
        degraded, target = super().degrade(high, task, scale, generator)
        return join_noisy(self.schedule, degraded, target, generator), target

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss terms by name; their sum is minimised.

        Args:
            output: (2·B, 3, H, W), the network's output in training.
            target: (B, 3, H, W), the clean faces.
            low, boxes: not used.
        """
        estimate, denoised = output.chunk(2)
        return {
            "estimator": self.config.estimator * l1_loss(estimate, target),
            "diffusion": self.config.diffusion * l1_loss(denoised, target),
        }
