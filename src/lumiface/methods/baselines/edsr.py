"""EDSR: residual blocks without batch normalisation, upsampling at the end.

Lim, Son, Kim, Nah, Lee: "Enhanced Deep Residual Networks for Single Image Super-Resolution" (CVPRW 2017),
§3.2-3.3, Fig. 2-4. The defaults are its "baseline": 16 blocks of 64 channels, 1.52 M parameters at x4.

Exact: order, widths and strides of all layers, both skips, pixel shuffle in steps of two.
Deviations: no mean shift, values in [0, 1] instead of 0..255 (both `NOTE(paper)` below).
Open in the paper, as in its authors' code: no activation between the upsampling steps.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings


class EDSRConfig(Settings):
    """The configuration of an EDSR; stored in every checkpoint."""

    channels: int = Field(
        default=64, ge=8, description="F: channels of all features (baseline 64, large 256)"
    )
    blocks: int = Field(default=16, ge=1, description="B: number of residual blocks (baseline 16, large 32)")
    residual_scale: float = Field(
        default=1.0, gt=0.0, le=1.0, description="factor of each residual branch (large: 0.1)"
    )
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, added to the input; no normalisation (§3.2, Fig. 2c).

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, residual_scale: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.residual_scale = residual_scale

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(F.relu(self.first(features))) * self.residual_scale


class EDSR(nn.Module):
    """F0 = Conv(I_LR); F = F0 + Conv(blocks(F0)); I_SR = Conv(shuffle(F)) (Fig. 3).

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: EDSRConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ResidualBlock(channels, config.residual_scale) for _ in range(config.blocks))
        )
        self.body = nn.Conv2d(channels, channels, 3, padding=1)
        steps = config.scale.bit_length() - 1
        self.steps = nn.ModuleList(nn.Conv2d(channels, 4 * channels, 3, padding=1) for _ in range(steps))
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, low: Tensor) -> Tensor:
        # NOTE(paper): DIV2K's mean colour is not subtracted and added again, and values are in [0, 1]: the
        # mean of daylight photographs does not apply to dark faces, and the layers can learn an offset.
        shallow = self.head(low)
        features = shallow + self.body(self.blocks(shallow))  # (B, C, h, w)
        for step in self.steps:
            features = F.pixel_shuffle(step(features), 2)
        return self.tail(features)  # (B, 3, s·h, s·w)
