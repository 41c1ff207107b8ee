"""SwinIR: residual groups of shifted-window attention, in its lightweight size.

Liang, Cao, Sun, Zhang, Van Gool, Timofte: "SwinIR: Image Restoration Using Swin Transformer" (ICCVW 2021),
§3, §4.1. The network is spandrel's (the package, MIT), which is the authors' own; this file adapts it
to our interface. Weights are initialised randomly: nothing pretrained is loaded.

Exact: four groups of six layers of 60 channels, six heads, 8x8 windows, pixel shuffle in one step; 0.93 M
parameters at x4 (the published 0.90 M lack one of the 3x3 convolutions).
Deviations: no stochastic depth; replicate instead of reflection padding (`NOTE(paper)` below).
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.core.settings import Settings


class SwinIRConfig(Settings):
    """The configuration of a SwinIR; stored in every checkpoint."""

    channels: int = Field(
        default=60, ge=8, description="channels of all features, a multiple of `heads` (light 60)"
    )
    groups: int = Field(default=4, ge=1, description="residual groups (RSTB): light 4, classical 6")
    layers: int = Field(
        default=6, ge=1, description="layers (STL) in each group; every second one is shifted"
    )
    heads: int = Field(default=6, ge=1, description="attention heads")
    window: int = Field(default=8, ge=2, description="window size, in pixels of the input")
    expansion: float = Field(
        default=2.0, gt=0, description="hidden width of the feed-forward networks, relative to `channels`"
    )
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> SwinIRConfig:
        if self.channels % self.heads:
            raise ValueError(f"channels ({self.channels}) must be a multiple of heads ({self.heads})")
        return self


class SwinIR(nn.Module):
    """spandrel's SwinIR with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: SwinIRConfig) -> None:
        super().__init__()
        self.config = config
        body = load_architecture("swinir", "SwinIR")
        with warnings.catch_warnings():
            # spandrel calls torch.meshgrid without `indexing`, a deprecation that users cannot fix.
            warnings.filterwarnings("ignore", message="torch.meshgrid")
            self.body: nn.Module = body(
                # The size for which window masks are precomputed; other sizes compute theirs on the fly.
                img_size=4 * config.window,
                window_size=config.window,
                embed_dim=config.channels,
                depths=[config.layers] * config.groups,
                num_heads=[config.heads] * config.groups,
                mlp_ratio=config.expansion,
                upscale=config.scale,
                upsampler="pixelshuffledirect",
                # NOTE(paper): the authors' code has stochastic depth (rate 0.1) in training; our networks use
                # no random numbers.
                drop_path_rate=0.0,
            )
        for module in self.body.modules():
            self._adapt(module)

    @staticmethod
    def _adapt(module: Any) -> None:
        """Make derived buffers non-persistent, and compute masks in the type of the weights."""
        for name in ("attn_mask", "relative_position_index"):
            if isinstance(getattr(module, name, None), Tensor):
                module.register_buffer(name, getattr(module, name), persistent=False)
        if hasattr(module, "calculate_mask"):
            module.calculate_mask = partial(_mask_for, module)

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        window, scale = self.config.window, self.config.scale
        # NOTE(paper): replicate padding; reflection needs an image larger than the padding.
        padded = F.pad(low, (0, -width % window, 0, -height % window), mode="replicate")
        return self.body(padded)[..., : scale * height, : scale * width]


def _mask_for(layer: Any, size: tuple[int, int]) -> Tensor:
    # The weights are read at the time of the call: before it they may change device or type.
    return window_mask(size, layer.window_size, layer.shift_size, like=layer.norm1.weight)


def window_mask(size: tuple[int, int], window: int, shift: int, like: Tensor) -> Tensor:
    """Attention mask between pixels that share a window only because of the cyclic shift.

    Args:
        size: height and width, multiples of `window`.
        window: window size, pixels.
        shift: cyclic shift, pixels.
        like: a tensor of the mask's type and device.

    Returns:
        (windows, window², window²): 0 where two pixels attend to one another, -100 where not; zero, of shape
        (1, 1, 1), without a shift.
    """
    if not shift:
        return like.new_zeros(1, 1, 1)
    height, width = size
    y, x = torch.arange(height, device=like.device), torch.arange(width, device=like.device)
    rows = (y >= height - window).long() + (y >= height - shift).long()
    columns = (x >= width - window).long() + (x >= width - shift).long()
    regions = 3 * rows[:, None] + columns[None, :]  # (H, W), nine of them
    regions = regions.view(height // window, window, width // window, window).transpose(1, 2)
    regions = regions.reshape(-1, window * window)
    return (regions[:, :, None] != regions[:, None, :]).to(like.dtype) * -100.0
