"""ZERO-IG, a reduced version: noise removed before and after a division by the light, without references.

Shi, Liu, Zhang, Tian, Xia, Fu: "ZERO-IG: Zero-Shot Illumination-Guided Joint Denoising and Adaptive
Enhancement for Low-Light Images" (CVPR 2024). Small, written from the idea of the paper.

Exact: three small networks: one removes noise from the dark picture, one estimates the light, one removes
noise from reflectance and light together; both denoisers learn from two half-size pictures made of one noisy
picture, each of which must predict the other, and must agree with the denoised whole; the result is
smooth, and has an exposure that follows from the picture alone.
Reduced: the paper's adaptive enhancement factor and its losses of local means, colour and texture are not
here: exposure is held at one level. Widths and weights are ours.
Deviations: trained on many dark faces and then applied, where the paper trains anew for each picture.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.sizes import pad_to_multiple
from lumiface.core.settings import Settings
from lumiface.losses import edge_aware_smoothness_loss, exposure_loss, mse_loss
from lumiface.methods.base_recipe import PairedRecipe

LEAST_LIGHT = 0.02
"""The light's lower bound: nothing becomes more than 50 times as bright."""


class ZeroIGConfig(Settings):
    """The configuration of the three networks; stored in every checkpoint."""

    channels: int = Field(default=16, ge=4, description="channels of all three networks (paper 48, 64, 96)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


def _layers(inputs: int, channels: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, outputs, 1),
    )


def split_pair(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Two pictures of half the size whose noise is independent: the means of each 2x2 block's two diagonals.

    Shape: (B, C, H, W), H and W even -> twice (B, C, H/2, W/2).

    Source:
        Mansour, Heckel 2023, "Zero-Shot Noise2Noise", §3.
    """
    first = 0.5 * (picture[..., ::2, ::2] + picture[..., 1::2, 1::2])
    return first, 0.5 * (picture[..., ::2, 1::2] + picture[..., 1::2, ::2])


class ZeroIG(nn.Module):
    """d = y - D_1(y), s = E(d), r = y / s, (r, s) - D_2(r, s).

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1]; in training (9·B, 3, H, W), H and W
    rounded up to even numbers: see `ZeroIGRecipe`.
    """

    def __init__(self, config: ZeroIGConfig) -> None:
        super().__init__()
        self.config = config
        self.noise = _layers(3, config.channels, 3)
        self.light = _layers(3, config.channels, 3)
        self.remaining = _layers(6, config.channels, 6)

    def decompose(self, picture: Tensor, denoised: Tensor) -> Tensor:
        """Reflectance and light, (B, 6, H, W); the light is no darker than the denoised picture."""
        light = (denoised + torch.sigmoid(self.light(denoised))).clamp(LEAST_LIGHT, 1.0)
        return torch.cat([(picture / light).clamp(0.0, 1.0), light], dim=1)

    def forward(self, low: Tensor) -> Tensor:
        if self.training:
            low = pad_to_multiple(low, 2)
        denoised = low - self.noise(low)
        parts = self.decompose(low, denoised.clamp(0.0, 1.0))
        output, light = (parts - self.remaining(parts)).chunk(2, dim=1)
        if not self.training:
            return output.clamp(0.0, 1.0)
        halves = [half - self.noise(half) for half in split_pair(low)]
        # Noise in the reflectance comes from the picture; its own networks are trained by the other terms.
        pairs = split_pair(parts.detach())
        halves += [(pair - self.remaining(pair))[:, :3] for pair in pairs]
        # Half-size pictures are enlarged: then all lie in one tensor, and means of differences are the same.
        large = [F.interpolate(half, scale_factor=2.0, mode="nearest") for half in halves]
        return torch.cat([output, light, denoised, *parts.chunk(2, dim=1), *large])


class ZeroIGRecipeConfig(Settings):
    """The settings of the losses; the weights are ours."""

    noise: float = Field(default=10.0, ge=0, description="weight of each half predicting the other")
    consistency: float = Field(
        default=10.0, ge=0, description="weight of the agreement of denoised halves and denoised whole"
    )
    exposure: float = Field(default=1.0, ge=0, description="weight of the exposure")
    level: float = Field(default=0.5, gt=0, lt=1, description="brightness that is wanted")
    smoothness: float = Field(default=1.0, ge=0, description="weight of the light's smoothness")
    product: float = Field(default=1.0, ge=0, description="weight of reflectance times light = picture")


class ZeroIGRecipe(PairedRecipe):
    """Losses of the dark picture and the network's own outputs; there is no target."""

    def __init__(self, config: ZeroIGRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The weighted loss terms by name; their sum is minimised.

        Args:
            output: (9·B, 3, H, W): results, their light, the denoised pictures, reflectance and light before
                the second denoiser; denoised halves of the picture, two; of the reflectance, two.
            low: (B, 3, H, W), the input.
            target, boxes: not used.
        """
        weights = self.config
        result, light, denoised, reflectance, rough_light, *halves = output.chunk(9)
        low = pad_to_multiple(low, 2)
        noise, consistency = low.new_zeros(()), low.new_zeros(())
        for noisy, clean, predicted in (
            (low, denoised, halves[:2]),
            (reflectance.detach(), result, halves[2:]),
        ):
            small = [half[..., ::2, ::2] for half in predicted]
            first, second = split_pair(noisy)
            noise = noise + 0.5 * (mse_loss(small[0], second) + mse_loss(small[1], first))
            for half, whole in zip(small, split_pair(clean), strict=True):
                consistency = consistency + 0.5 * mse_loss(half, whole)
        return {
            "noise": weights.noise * noise,
            "consistency": weights.consistency * consistency,
            "exposure": weights.exposure * exposure_loss(result, weights.level),
            "smoothness": weights.smoothness * edge_aware_smoothness_loss(rough_light, low),
            "product": weights.product * mse_loss(result * light, denoised.detach()),
        }
