"""LSR: joint low-light enhancement and super-resolution by back-projection.

"LSR: Lightening Super-Resolution Deep Network for Low-Light Image Enhancement" (Neurocomputing 2022,
doi 10.1016/j.neucom.2022.07.058), to which LFSRNet is compared (its reference 46).

A RECONSTRUCTION. Neither the paper's text nor its code was available; known are its title and, from surveys
of the field, that it enhances and upscales in one feed-forward network by iterative back-projection. Scores
of this network are therefore not the paper's.
Taken from other papers: DLN's lightening back-projection (Wang et al., IEEE TIP 2020) and DBPN's
up-projection unit (Haris, Shakhnarovich, Ukita, CVPR 2018, §3.1; kernels 6, 8, 12 with strides 2, 4, 8 as
there). Chosen here: the number of each, all channels, one upscaling at the end (enhancement is cheaper at low
resolution), and the sum with the bicubic image. The recipe is that of all baselines (L1).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.lightening import (
    ConvPReLU,
    FeatureAggregation,
    LighteningBackProjection,
    start_near_identity,
)
from lumiface.core.settings import Settings


class LSRConfig(Settings):
    """The configuration of an LSR; stored in every checkpoint."""

    channels: int = Field(default=64, ge=8, multiple_of=2, description="channels of all features")
    blocks: int = Field(default=3, ge=1, description="number of lightening back-projections")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")


class UpProjection(nn.Module):
    """DBPN's unit: H0 = up(L), L0 = down(H0), H = H0 + up(L0 - L).

    With a perfect upscaling, downscaling would give L again; the residual is upscaled and added.

    Shape: (B, C, h, w) -> (B, C, s·h, s·w).
    """

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        kernel = scale + 4  # 6, 8, 12; the padding removes the excess of two pixels on each side
        self.up = nn.Sequential(
            nn.ConvTranspose2d(channels, channels, kernel, stride=scale, padding=2), nn.PReLU()
        )
        self.down = nn.Sequential(nn.Conv2d(channels, channels, kernel, stride=scale, padding=2), nn.PReLU())
        self.up_residual = nn.Sequential(
            nn.ConvTranspose2d(channels, channels, kernel, stride=scale, padding=2), nn.PReLU()
        )

    def forward(self, small: Tensor) -> Tensor:
        large = self.up(small)  # (B, C, s·h, s·w)
        return large + self.up_residual(self.down(large) - small)


class LSR(nn.Module):
    """I_SR = bicubic(I_LR) + Conv(up(FA(all stages))); each stage is LBP(FA(all before it)).

    Shape: (B, 3, h, w) in [0, 1], dark, any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: LSRConfig) -> None:
        super().__init__()
        self.config = config
        channels, blocks = config.channels, config.blocks
        self.extract = nn.Sequential(ConvPReLU(4, 2 * channels), ConvPReLU(2 * channels, channels))
        self.aggregate = nn.ModuleList(
            FeatureAggregation(count * channels, channels) for count in range(1, blocks + 2)
        )
        self.lighten = nn.ModuleList(LighteningBackProjection(channels) for _ in range(blocks))
        self.enlarge = UpProjection(channels, config.scale)
        self.to_rgb = nn.Conv2d(channels, 3, 3, padding=1)
        start_near_identity(self, self.to_rgb)

    def forward(self, low: Tensor) -> Tensor:
        brightest = low.amax(dim=1, keepdim=True)
        stages = [self.extract(torch.cat([2.0 * low - 1.0, brightest], dim=1))]  # (B, C, h, w) each
        for aggregate, lighten in zip(self.aggregate, self.lighten, strict=False):
            stages.append(lighten(aggregate(torch.cat(stages, dim=1))))
        features = self.aggregate[-1](torch.cat(stages, dim=1))
        upscaled = F.interpolate(
            low, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False
        )
        return upscaled + self.to_rgb(self.enlarge(features))  # (B, 3, s·h, s·w)
