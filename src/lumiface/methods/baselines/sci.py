"""SCI: the light of a picture by a network of 258 parameters, which learns in a cascade and works alone.

Ma, Ma, Liu, Fan, Luo: "Toward Fast, Flexible, and Robust Low-Light Image Enhancement" (CVPR 2022), §3.
The defaults are the paper's: one block of 3 channels that estimates the light, three shared blocks of 16 that
calibrate, three stages in training, one in use.

Exact: both networks layer by layer, shared weights, the cascade, the weights 1.5 and 1 of the loss; its edges
at σ = 0.1 as in the paper (the authors' code has 10, and mixes up the pixels when it goes to YUV).
Deviations: it learns from darkened faces instead of dark photographs; terms are means instead of sums.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.assets import load_published
from lumiface.core.settings import Settings
from lumiface.losses import edge_aware_smoothness_loss, mse_loss
from lumiface.methods.base_recipe import PairedRecipe


class SCIConfig(Settings):
    """What defines one SCI; stored in every checkpoint."""

    channels: int = Field(default=3, ge=1, description="width of what estimates the light (paper 3)")
    blocks: int = Field(default=1, ge=1, description="how often its block is applied (paper 1)")
    calibration_channels: int = Field(default=16, ge=1, description="width of what calibrates (paper 16)")
    calibration_blocks: int = Field(default=3, ge=1, description="how often its block is applied (paper 3)")
    stages: int = Field(default=3, ge=2, description="T: stages of the cascade in training (paper 3)")
    scale: Literal[1] = Field(default=1, description="the picture keeps its size")


def _convolution(before: int, after: int) -> nn.Conv2d:
    """3x3, started as the authors' code does."""
    layer = nn.Conv2d(before, after, 3, padding=1)
    nn.init.normal_(layer.weight, std=0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class IlluminationEstimator(nn.Module):
    """H (§3.1): the light is the picture and a residual that is never negative.

    Shape: (B, 3, H, W) in [0, 1] -> (B, 3, H, W) in [1e-4, 1], nowhere darker than what came in.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.first = _convolution(3, channels)
        self.block = nn.Sequential(_convolution(channels, channels), nn.BatchNorm2d(channels), nn.ReLU())
        self.last = _convolution(channels, 3)

    def forward(self, picture: Tensor) -> Tensor:
        features = F.relu(self.first(picture))
        for _ in range(self.blocks):  # one block, applied again and again
            features = features + self.block(features)
        return (picture + torch.sigmoid(self.last(features))).clamp(1e-4, 1.0)


class SelfCalibration(nn.Module):
    """K (§3.2): what is added to the dark picture, so that the next stage sees what the last one made of it.

    Shape: (B, 3, H, W) in [0, 1] -> (B, 3, H, W) in [-1, 1].
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.first = nn.Sequential(_convolution(3, channels), nn.BatchNorm2d(channels), nn.ReLU())
        self.block = nn.Sequential(
            _convolution(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            _convolution(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.last = _convolution(channels, 3)

    def forward(self, lit: Tensor) -> Tensor:
        features = self.first(lit)
        for _ in range(self.blocks):
            features = features + self.block(features)
        return lit - torch.sigmoid(self.last(features))


class SCI(nn.Module):
    """x = H(y), z = y / x in use; in training v_1 = y, x_t = H(v_t), v_{t+1} = y + K(y / x_t) (§3.1-3.2).

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1]; while training (2·T·B, 3, H, W): the
    light x_1 .. x_T of all stages and then what they saw, v_1 .. v_T, which the losses compare.
    """

    def __init__(self, config: SCIConfig) -> None:
        super().__init__()
        self.config = config
        self.estimate = IlluminationEstimator(config.channels, config.blocks)
        self.calibrate = SelfCalibration(config.calibration_channels, config.calibration_blocks)

    def forward(self, low: Tensor) -> Tensor:
        if not self.training:
            return low / self.estimate(low)
        inputs = [low]
        lights = [self.estimate(low)]
        for _ in range(self.config.stages - 1):
            inputs.append(low + self.calibrate((low / lights[-1]).clamp(0.0, 1.0)))
            lights.append(self.estimate(inputs[-1]))
        return torch.cat([*lights, *inputs])


class SCIRecipeConfig(Settings):
    """The loss's settings; the defaults are the paper's (§3.3)."""

    fidelity: float = Field(default=1.5, ge=0, description="α: weight of the light's likeness to the picture")
    smoothness: float = Field(default=1.0, ge=0, description="β: weight of its evenness away from edges")
    sigma: float = Field(default=0.1, gt=0, description="σ: difference of colours that is an edge")


class SCIRecipe(PairedRecipe):
    """L = α L_f + β L_s over all stages (§3.3), judged from the cascade alone."""

    def __init__(self, config: SCIRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The weighted parts of L, by name; their sum is what is minimised.

        Args:
            output: (2·T·B, 3, H, W), the network's result in training: lights, then what they were seen in.
            low: (B, 3, H, W), the input.
            target, boxes: not used; there is no reference.
        """
        lights, inputs = output.chunk(2)
        stages = len(lights) // len(low)
        smoothness = edge_aware_smoothness_loss(lights, inputs, self.config.sigma)
        return {
            "fidelity": self.config.fidelity * stages * mse_loss(lights, inputs),
            "smoothness": self.config.smoothness * stages * smoothness,
        }


def load_official(path: Path) -> SCI:
    """The network with its authors' weights, ready for use.

    Raises:
        InputError: the file does not hold them.
    """
    network = SCI(SCIConfig())
    layers = {
        "estimate.first": "enhance.in_conv.0",
        "estimate.block.0": "enhance.conv.0",
        "estimate.block.1": "enhance.conv.1",
        "estimate.last": "enhance.out_conv.0",
        "calibrate.first.0": "calibrate.in_conv.0",
        "calibrate.first.1": "calibrate.in_conv.1",
        "calibrate.last": "calibrate.out_conv.0",
    }
    load_published(
        network, path, layers | {f"calibrate.block.{i}": f"calibrate.convs.{i}" for i in (0, 1, 3, 4)}
    )
    return network.eval()
