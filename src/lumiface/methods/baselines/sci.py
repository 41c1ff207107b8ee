"""SCI: illumination estimation by a network of 258 parameters, trained in a cascade, used without it.

Ma, Ma, Liu, Fan, Luo: "Toward Fast, Flexible, and Robust Low-Light Image Enhancement" (CVPR 2022), §3.
The defaults are the paper's: one block of 3 channels for the illumination, three shared blocks of 16 for the
calibration, three stages in training, one in inference.

Exact: both networks layer by layer, shared weights, the cascade, the weights 1.5 and 1 of the loss; σ = 0.1
as in the paper (the authors' code has 10, and permutes the pixels in its conversion to YUV).
Deviations: trained on darkened faces instead of dark photographs; terms are means instead of sums.
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
    """The configuration of an SCI; stored in every checkpoint."""

    channels: int = Field(default=3, ge=1, description="channels of the illumination estimator (paper 3)")
    blocks: int = Field(default=1, ge=1, description="number of applications of its block (paper 1)")
    calibration_channels: int = Field(default=16, ge=1, description="channels of the calibration (paper 16)")
    calibration_blocks: int = Field(
        default=3, ge=1, description="number of applications of its block (paper 3)"
    )
    stages: int = Field(default=3, ge=2, description="T: stages of the cascade in training (paper 3)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


def _convolution(before: int, after: int) -> nn.Conv2d:
    """3x3, initialised as in the authors' code."""
    layer = nn.Conv2d(before, after, 3, padding=1)
    nn.init.normal_(layer.weight, std=0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class IlluminationEstimator(nn.Module):
    """H (§3.1): the illumination is the image plus a non-negative residual.

    Shape: (B, 3, H, W) in [0, 1] -> (B, 3, H, W) in [1e-4, 1], nowhere darker than the input.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.first = _convolution(3, channels)
        self.block = nn.Sequential(_convolution(channels, channels), nn.BatchNorm2d(channels), nn.ReLU())
        self.last = _convolution(channels, 3)

    def forward(self, image: Tensor) -> Tensor:
        features = F.relu(self.first(image))
        for _ in range(self.blocks):  # one block with shared weights
            features = features + self.block(features)
        return (image + torch.sigmoid(self.last(features))).clamp(1e-4, 1.0)


class SelfCalibration(nn.Module):
    """K (§3.2): added to the dark image to make the next stage's input from the last stage's output.

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

    def forward(self, enhanced: Tensor) -> Tensor:
        features = self.first(enhanced)
        for _ in range(self.blocks):
            features = features + self.block(features)
        return enhanced - torch.sigmoid(self.last(features))


class SCI(nn.Module):
    """x = H(y), z = y / x; in training v_1 = y, x_t = H(v_t), v_{t+1} = y + K(y / x_t) (§3.1-3.2).

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1]; in training (2·T·B, 3, H, W): the
    illuminations x_1 .. x_T of all stages, then their inputs v_1 .. v_T, which the losses compare.
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
        illuminations = [self.estimate(low)]
        for _ in range(self.config.stages - 1):
            inputs.append(low + self.calibrate((low / illuminations[-1]).clamp(0.0, 1.0)))
            illuminations.append(self.estimate(inputs[-1]))
        return torch.cat([*illuminations, *inputs])


class SCIRecipeConfig(Settings):
    """The settings of the loss; the defaults are the paper's (§3.3)."""

    fidelity: float = Field(
        default=1.5, ge=0, description="α: weight of the illumination's fidelity to the input"
    )
    smoothness: float = Field(default=1.0, ge=0, description="β: weight of its smoothness away from edges")
    sigma: float = Field(default=0.1, gt=0, description="σ: colour difference that counts as an edge")


class SCIRecipe(PairedRecipe):
    """L = α L_f + β L_s over all stages (§3.3), without ground truth."""

    def __init__(self, config: SCIRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The weighted terms of L by name; their sum is minimised.

        Args:
            output: (2·T·B, 3, H, W), the network's output in training: illuminations, then their inputs.
            low: (B, 3, H, W), the input.
            target, boxes: not used.
        """
        illuminations, inputs = output.chunk(2)
        stages = len(illuminations) // len(low)
        smoothness = edge_aware_smoothness_loss(illuminations, inputs, self.config.sigma)
        return {
            "fidelity": self.config.fidelity * stages * mse_loss(illuminations, inputs),
            "smoothness": self.config.smoothness * stages * smoothness,
        }


def load_official(path: Path) -> SCI:
    """The network with its authors' weights, in evaluation mode.

    Raises:
        InputError: the file has other contents.
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
