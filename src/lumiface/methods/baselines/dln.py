"""DLN: low-light enhancement by lightening back-projection.

Wang, Liu, Siu, Lun: "Lightening Network for Low-Light Image Enhancement" (IEEE TIP 2020).
The defaults are the paper's: 64 channels, three back-projections, 0.70 M parameters.

Exact: order, widths and kernels of all layers; every block receives the features of all before it; a global
residual connection; the input is RGB in [-1, 1] and its maximum over channels in [0, 1].
Deviations: smaller initial weights (`NOTE(paper)` below). The paper trains with SSIM and total variation;
here the recipe is that of all paired baselines (L1): networks are compared, not losses.
Omitted: the interactive variant, in which a person sets the amount of lightening.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.lightening import (
    ConvPReLU,
    FeatureAggregation,
    LighteningBackProjection,
    start_near_identity,
)
from lumiface.core.settings import Settings


class DLNConfig(Settings):
    """The configuration of a DLN; stored in every checkpoint."""

    channels: int = Field(default=64, ge=8, multiple_of=2, description="channels of all features (paper 64)")
    blocks: int = Field(default=3, ge=1, description="number of lightening back-projections (paper 3)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class DLN(nn.Module):
    """I_NL = I_LL + Conv(features of all stages); each stage is LBP(FA(all before it)).

    Shape: (B, 3, H, W) in [0, 1], dark, any size -> (B, 3, H, W), about [0, 1], not clipped.
    """

    def __init__(self, config: DLNConfig) -> None:
        super().__init__()
        self.config = config
        channels, blocks = config.channels, config.blocks
        self.extract = nn.Sequential(ConvPReLU(4, 2 * channels), ConvPReLU(2 * channels, channels))
        self.aggregate = nn.ModuleList(
            FeatureAggregation(count * channels, channels) for count in range(1, blocks + 1)
        )
        self.lighten = nn.ModuleList(LighteningBackProjection(channels) for _ in range(blocks))
        self.fuse = ConvPReLU((blocks + 1) * channels, channels)
        self.to_rgb = nn.Conv2d(channels, 3, 3, padding=1)
        # NOTE(paper): the authors' code uses Kaiming's initialisation, with outputs far outside [0, 1].
        start_near_identity(self, self.to_rgb)

    def forward(self, low: Tensor) -> Tensor:
        brightest = low.amax(dim=1, keepdim=True)
        stages = [self.extract(torch.cat([2.0 * low - 1.0, brightest], dim=1))]  # (B, C, H, W) each
        for aggregate, lighten in zip(self.aggregate, self.lighten, strict=True):
            stages.append(lighten(aggregate(torch.cat(stages, dim=1))))
        return low + self.to_rgb(self.fuse(torch.cat(stages, dim=1)))
