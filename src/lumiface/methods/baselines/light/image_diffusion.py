"""Conditional diffusion in the space of pictures: the class of RDDM and of IC-FSRDENet, and neither of them.

Written from Ho, Jain, Abbeel: "Denoising Diffusion Probabilistic Models" (NeurIPS 2020), Saharia et al.:
"Image Super-Resolution via Iterative Refinement" (TPAMI 2022; the condition is concatenated) and Song, Meng,
Ermon: "Denoising Diffusion Implicit Models" (ICLR 2021; few steps). prior3d's Table 1 has RDDM (Liu et al.,
CVPR 2024) and IC-FSRDENet, networks of this class that are larger.

Exact: forward process, concatenated condition, deterministic sampler.
Deviations from RDDM: noise is added to the bright picture alone, not to a mixture of it and the residual; the
network has the residual to the dark picture as its output and the clean picture as its estimate, from which
the noise follows. 5 steps from fixed noise: equal pictures give equal results.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.diffusion import NoiseSchedule
from lumiface.blocks.diffusion_unet import DiffusionUNet
from lumiface.blocks.noisy_pairs import fixed_noise, join_noisy, split_noisy
from lumiface.core.draws import RandomSource
from lumiface.core.settings import Settings
from lumiface.degradations.tasks import PairTask
from lumiface.losses import l1_loss
from lumiface.methods.base_recipe import PairedRecipe

TIMESTEPS = 1000
"""T: steps of the forward process."""


class ImageDiffusionConfig(Settings):
    """The configuration of the network and its sampler; stored in every checkpoint."""

    channels: int = Field(default=16, ge=4, description="channels at full size (RDDM 64)")
    multipliers: tuple[int, ...] = Field(
        default=(1, 2, 4), min_length=2, description="channels per scale, relative to `channels`"
    )
    sampling_steps: int = Field(default=5, ge=1, le=TIMESTEPS, description="steps of DDIM (RDDM 5)")
    seed: int = Field(default=0, ge=0, description="seed of the noise from which every picture begins")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class ImageDiffusion(nn.Module):
    """U-Net with the dark picture beside x_t.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped; in training
    (B, 7, H, W), the dark picture, x_t and t/T -> (B, 3, H, W), the estimate of the bright picture.
    """

    def __init__(self, config: ImageDiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule(TIMESTEPS)
        widths = [config.channels * times for times in config.multipliers]
        self.unet = DiffusionUNet(6, 3, widths)

    def forward(self, low: Tensor) -> Tensor:
        if self.training:
            dark, noisy, t = split_noisy(self.schedule, low)
            return 0.5 * (self.estimate(noisy, t, 2.0 * dark - 1.0) + 1.0)
        dark = 2.0 * low - 1.0
        start = fixed_noise(low, self.config.seed)
        clean = self.schedule.ddim(
            lambda x, t: self.estimate(x, t, dark), start, self.config.sampling_steps, clip=1.0
        )
        return 0.5 * (clean + 1.0)

    def estimate(self, noisy: Tensor, t: Tensor, dark: Tensor) -> Tensor:
        """x_t and the dark picture (B, 3, H, W) in about [-1, 1], t (B,) from 1 to T -> estimate of x_0."""
        return dark + self.unet(torch.cat([dark, noisy], dim=1), t)


class ImageDiffusionRecipeConfig(Settings):
    """The loss has no settings."""


class ImageDiffusionRecipe(PairedRecipe):
    """The network sees the target at a random noise level; mean absolute difference of its estimate."""

    def __init__(self, config: ImageDiffusionRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule(TIMESTEPS)

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: RandomSource
    ) -> tuple[Tensor, Tensor]:
        """As `PairedRecipe`, and x_t (3 channels) and t/T (one) beside the dark picture."""
        dark, target = super().degrade(high, task, scale, generator)
        return join_noisy(self.schedule, dark, target, generator), target

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss terms by name; `output` and `target` are (B, 3, H, W); the others are not used."""
        return {"l1": l1_loss(output, target)}
