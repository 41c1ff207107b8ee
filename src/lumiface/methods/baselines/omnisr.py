"""Omni-SR: joint attention over space and channels, in windows and over the whole grid.

Wang, Chen, Ni, Zhou, Lei, Yuan: "Omni Aggregation Networks for Lightweight Image Super-Resolution" (CVPR
2023), §3. The network is spandrel's (the package, MIT), which is the authors' own; this file adapts it
to our interface. Weights are initialised randomly: nothing pretrained is loaded.

Exact: five groups (OSAG) of one block of 64 channels, 8x8 windows, pixel shuffle in one step; 0.81 M
parameters at x4 (0.79 M where norms and position tables are not counted, as published).
Deviations: replicate padding instead of zeros (`NOTE(paper)` below).
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.core.settings import Settings


class OmniSRConfig(Settings):
    """The configuration of an Omni-SR; stored in every checkpoint."""

    channels: int = Field(default=64, ge=8, multiple_of=4, description="channels of all features (paper 64)")
    groups: int = Field(default=5, ge=1, description="residual groups (OSAG; paper 5)")
    blocks: int = Field(default=1, ge=1, description="omni self-attention blocks in each group (paper 1)")
    window: int = Field(default=8, ge=2, description="window size, in pixels of the input")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel.

    Replaces spandrel's equivalent layer, whose custom autograd function neither ONNX export nor new versions
    of torch support.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        last = features.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class OmniSR(nn.Module):
    """spandrel's Omni-SR with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: OmniSRConfig) -> None:
        super().__init__()
        self.config = config
        body = load_architecture("omnisr", "OmniSR")
        with warnings.catch_warnings():
            # spandrel calls torch.meshgrid without `indexing`, a deprecation that users cannot fix.
            warnings.filterwarnings("ignore", message="torch.meshgrid")
            self.body: nn.Module = body(
                num_feat=config.channels,
                res_num=config.groups,
                block_num=config.blocks,
                window_size=config.window,
                up_scale=config.scale,
                pe=True,
                bias=True,
            )
        for module in list(self.body.modules()):
            for name, child in module.named_children():
                if type(child).__name__ == "LayerNorm2d":
                    norm: Any = child
                    setattr(module, name, ChannelNorm(len(norm.weight), norm.eps))

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        window, scale = self.config.window, self.config.scale
        # The groups' ESA has a stride of 2 and a pooling of 7: it needs at least 15 pixels.
        minimum = -(-15 // window) * window
        bottom: Any = torch.sym_max(-height % window, minimum - height)
        right: Any = torch.sym_max(-width % window, minimum - width)
        # NOTE(paper): replicate padding; zeros would look like darkness.
        padded = F.pad(low, (0, right, 0, bottom), mode="replicate")
        return self.body(padded)[..., : scale * height, : scale * width]
