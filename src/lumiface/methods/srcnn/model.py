"""SRCNN: the first convolutional network for super-resolution, and the baseline in every table.

Dong et al., "Image Super-Resolution Using Deep Convolutional Networks" (TPAMI 2016), as described in an
introductory article on face super-resolution. The article's text and its code differ; both are variants here,
and Dong's own is the third. This folder is also the smallest complete example of a method.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings


class SRCNNConfig(Settings):
    """The configuration of an SRCNN; stored in every checkpoint."""

    variant: Literal["9-5-5", "9-1-5", "3-1-5"] = Field(
        default="9-5-5",
        description="kernel sizes: 9-5-5 the article's code, 9-1-5 Dong et al., 3-1-5 the article's text",
    )
    scale: Literal[2, 4, 8] = Field(default=4, description="s: bicubic upscaling before the first layer")


class SRCNN(nn.Module):
    """F = max(0, W1 * I + b1), G = max(0, W2 * F + b2), I_SR = W3 * G + b3, on the upscaled image I.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: SRCNNConfig) -> None:
        super().__init__()
        self.config = config
        k1, k2, k3 = (int(size) for size in config.variant.split("-"))
        self.extract = nn.Conv2d(3, 64, k1, padding=k1 // 2)
        self.map = nn.Conv2d(64, 32, k2, padding=k2 // 2)
        self.reconstruct = nn.Conv2d(32, 3, k3, padding=k3 // 2)

    def forward(self, low: Tensor) -> Tensor:
        upscaled = F.interpolate(
            low, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False
        )
        features = F.relu(self.extract(upscaled))  # (B, 64, s·h, s·w)
        return self.reconstruct(F.relu(self.map(features)))
