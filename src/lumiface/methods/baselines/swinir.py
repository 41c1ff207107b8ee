"""SwinIR: residual groups of shifted-window attention, here in its lightweight size.

Liang, Cao, Sun, Zhang, Van Gool, Timofte: "SwinIR: Image Restoration Using Swin Transformer" (ICCVW 2021),
§3, §4.1. The network is spandrel's (the package, MIT), which is the authors' own; this file gives it our
interface. Weights start at random: nothing pretrained is loaded.

Exact: four groups of six layers of 60 channels, six heads, 8x8 windows, pixel shuffle in one step; 0.93 M
parameters at x4 (the published 0.90 M lack one of the 3x3 convolutions).
Deviations: no stochastic depth; sides are padded by their edges instead of mirrored (`NOTE(paper)` below).
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings


class SwinIRConfig(Settings):
    """What defines one SwinIR; stored in every checkpoint."""

    channels: int = Field(
        default=60, ge=8, description="width of all features, a multiple of `heads` (light 60)"
    )
    groups: int = Field(default=4, ge=1, description="residual groups (RSTB): light 4, classical 6")
    layers: int = Field(
        default=6, ge=1, description="layers (STL) in each group; every second one is shifted"
    )
    heads: int = Field(default=6, ge=1, description="attention heads")
    window: int = Field(default=8, ge=2, description="side of the windows, in pixels of the small picture")
    expansion: float = Field(default=2.0, gt=0, description="width of the feed-forward nets, in channels")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: enlargement")

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> SwinIRConfig:
        if self.channels % self.heads:
            raise ValueError(f"channels ({self.channels}) must be a multiple of heads ({self.heads})")
        return self


class SwinIR(nn.Module):
    """spandrel's SwinIR behind our interface; its weights bear the prefix `body.`.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: SwinIRConfig) -> None:
        super().__init__()
        self.config = config
        try:
            from spandrel.architectures.SwinIR import SwinIR as Body
        except ImportError as error:
            raise SettingError("swinir needs spandrel: pip install 'lumiface[peers]'") from error
        body: Any = Body
        with warnings.catch_warnings():
            # spandrel calls torch.meshgrid in a way that torch will change one day; no user can help it.
            warnings.filterwarnings("ignore", message="torch.meshgrid")
            self.body: nn.Module = body(
                # Only the size for which masks of the windows are kept ready; others make theirs on the way.
                img_size=4 * config.window,
                window_size=config.window,
                embed_dim=config.channels,
                depths=[config.layers] * config.groups,
                num_heads=[config.heads] * config.groups,
                mlp_ratio=config.expansion,
                upscale=config.scale,
                upsampler="pixelshuffledirect",
                # NOTE(paper): the authors' code drops layers at random (rate 0.1) in training; ours
                # draw no random numbers.
                drop_path_rate=0.0,
            )
        for part in self.body.modules():
            self._tidy(part)

    @staticmethod
    def _tidy(part: Any) -> None:
        """Keep what follows from the config out of the checkpoint; make masks in the weights' own type."""
        for name in ("attn_mask", "relative_position_index"):
            if isinstance(getattr(part, name, None), Tensor):
                part.register_buffer(name, getattr(part, name), persistent=False)
        if hasattr(part, "calculate_mask"):
            part.calculate_mask = partial(_mask_for, part)

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        window, scale = self.config.window, self.config.scale
        # NOTE(paper): edge pixels are repeated; mirroring needs a picture larger than what is added to it.
        padded = F.pad(low, (0, -width % window, 0, -height % window), mode="replicate")
        return self.body(padded)[..., : scale * height, : scale * width]


def _mask_for(layer: Any, size: tuple[int, int]) -> Tensor:
    # The weights are asked at the time of the call: until then they may have moved or changed their type.
    return window_mask(size, layer.window_size, layer.shift_size, like=layer.norm1.weight)


def window_mask(size: tuple[int, int], window: int, shift: int, like: Tensor) -> Tensor:
    """What keeps pixels apart that only a picture's cyclic displacement by `shift` brings into one window.

    Args:
        size: height and width, multiples of `window`.
        like: a tensor of the wanted type and device.

    Returns:
        (windows, window², window²): 0 where two pixels may see one another, -100 where not; zero, of shape
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
