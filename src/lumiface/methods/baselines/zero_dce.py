"""Zero-DCE: pixel-wise brightening curves, trained without ground truth.

Guo, Li, Guo, Loy, Hou, Kwong, Cong: "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement"
(CVPR 2020), §3.1-3.3. The defaults are the paper's: 7 layers of 32 channels, 8 iterations, 79 416 parameters.

Exact: order and widths of the layers, symmetrical skips, tanh; the curve; initialisation by N(0, 0.02); the
losses by the paper's formulas (its authors' code has others, see losses/zero_reference.py).
Deviations: one weight (`NOTE(paper)` below); trained on darkened faces, not on images of many exposures.
The authors' weights are free for academic use only; `load_official` reads them.
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
from lumiface.losses import (
    colour_constancy_loss,
    exposure_loss,
    illumination_smoothness_loss,
    spatial_consistency_loss,
)
from lumiface.methods.base_recipe import PairedRecipe


class ZeroDCEConfig(Settings):
    """The configuration of a Zero-DCE; stored in every checkpoint."""

    channels: int = Field(default=32, ge=4, description="channels of all features (paper 32)")
    iterations: int = Field(default=8, ge=1, description="n: number of applications of the curve (paper 8)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class ZeroDCE(nn.Module):
    """LE_n = LE_{n-1} + A_n LE_{n-1} (1 - LE_{n-1}), one map A_n of three channels per iteration (Eq. 3).

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1]; in training ((1 + n)·B, 3, H, W): the
    images, then the maps A_1 .. A_n in [-1, 1], which the losses need.
    """

    def __init__(self, config: ZeroDCEConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.down = nn.ModuleList(
            nn.Conv2d(before, channels, 3, padding=1) for before in (3, channels, channels, channels)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(2 * channels, after, 3, padding=1)
            for after in (channels, channels, 3 * config.iterations)
        )
        for layer in (*self.down, *self.up):
            assert isinstance(layer, nn.Conv2d)
            nn.init.normal_(layer.weight, std=0.02)

    def estimate_maps(self, low: Tensor) -> Tensor:
        """DCE-Net: (B, 3, H, W) -> (B, 3·n, H, W) in [-1, 1], A_1 first."""
        skips: list[Tensor] = []
        features = low
        for layer in self.down:
            features = F.relu(layer(features))
            skips.append(features)
        features = skips.pop()
        for layer in self.up[:-1]:
            features = F.relu(layer(torch.cat([skips.pop(), features], dim=1)))
        return torch.tanh(self.up[-1](torch.cat([skips.pop(), features], dim=1)))

    def forward(self, low: Tensor) -> Tensor:
        maps = self.estimate_maps(low).chunk(self.config.iterations, dim=1)
        output = low
        for curve in maps:
            output = output + curve * output * (1.0 - output)
        return torch.cat([output, *maps]) if self.training else output


class ZeroDCERecipeConfig(Settings):
    """The settings of the loss; the defaults are the paper's (§4) except for the smoothness."""

    spatial: float = Field(default=1.0, ge=0, description="weight of spatial consistency")
    exposure: float = Field(default=1.0, ge=0, description="weight of exposure control")
    level: float = Field(default=0.6, gt=0, lt=1, description="E: target brightness (paper 0.6)")
    colour: float = Field(default=0.5, ge=0, description="W_col: weight of colour constancy")
    # NOTE(paper): 20 there, with a 1/N in the loss that its authors' code omits (N is 8). With the formula
    # and weight of the paper, curves are rough and colours drift.
    smoothness: float = Field(
        default=160.0, ge=0, description="W_tvA: weight of the curves' smoothness (paper 20, without 1/N)"
    )


class ZeroDCERecipe(PairedRecipe):
    """L = L_spa + L_exp + W_col L_col + W_tvA L_tvA (Eq. 8), without ground truth."""

    def __init__(self, config: ZeroDCERecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The weighted terms of L by name; their sum is minimised.

        Args:
            output: ((1 + n)·B, 3, H, W), the network's output in training: images, then maps.
            low: (B, 3, H, W), the input.
            target, boxes: not used.
        """
        weights = self.config
        images, maps = output[: len(low)], output[len(low) :]
        return {
            "spatial": weights.spatial * spatial_consistency_loss(images, low),
            "exposure": weights.exposure * exposure_loss(images, weights.level),
            "colour": weights.colour * colour_constancy_loss(images),
            "smoothness": weights.smoothness * illumination_smoothness_loss(maps),
        }


def load_official(path: Path) -> ZeroDCE:
    """The network with its authors' weights, in evaluation mode.

    Raises:
        InputError: the file has other contents.
    """
    network = ZeroDCE(ZeroDCEConfig())
    layers = {f"down.{i}": f"e_conv{i + 1}" for i in range(4)}
    load_published(network, path, layers | {f"up.{i}": f"e_conv{i + 5}" for i in range(3)})
    # Their code has A (LE² - LE), the paper A (LE - LE²); tanh is odd, so the last layer's sign is flipped.
    with torch.no_grad():
        for parameter in network.up[-1].parameters():
            parameter.neg_()
    return network.eval()
