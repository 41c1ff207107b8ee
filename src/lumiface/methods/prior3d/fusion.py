"""The 3D-prior fusion module: rendering and depth modulate the features of an image (§3.2.1, Fig. 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.blocks.layer_norm import LayerNorm2d


class PriorFusion(nn.Module):
    """Features F, rendering T and depth D of the same size -> features.

    Args:
        channels: C.
        bypass: the module's input is added to its result. NOTE(paper): step 3 adds the "initial F", which may
            be the module's input or what its first step has made of it. The first layer normalises, so that
            without a way around it scale and offset of the input are lost.

    Shape: (B, C, H, W), (B, 3, H, W) and (B, 1, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, *, bypass: bool = False) -> None:
        super().__init__()
        self.bypass = bypass
        squeezed = max(channels // 4, 8)
        self.norm = LayerNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        # NOTE(paper): "adjusted by D" is left open; here a scale and a shift, each a convolution of D.
        self.by_depth = nn.Conv2d(1, 2 * channels, 3, padding=1)
        self.project = nn.Conv2d(3, channels, 3, padding=1)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.merge = mlp(2 * channels, channels, channels)
        self.norm_merged = LayerNorm2d(channels)
        self.affine = nn.Conv2d(4, 2 * channels, 3, padding=1)
        self.spatial = _depthwise(channels)
        self.gate = _depthwise(channels)
        self.refine = mlp(channels, channels, channels)

    def forward(self, features: Tensor, rendering: Tensor, depth: Tensor) -> Tensor:
        initial = features
        features = self.conv(F.silu(self.norm(features)))
        scale, shift = self.by_depth(depth).chunk(2, dim=1)
        features = features * (1.0 + scale) + shift

        rendered = self.project(rendering)
        weight = self.weigh(rendered)  # (B, C, 1, 1)
        merged = features + self.merge(torch.cat([weight * features, weight * rendered], dim=1))  # F_m
        if self.bypass:
            merged = merged + initial

        gamma, beta = self.affine(torch.cat([rendering, depth], dim=1)).chunk(2, dim=1)
        modulated = self.norm_merged(merged) * (1.0 + gamma) + beta
        return merged + self.refine(self.spatial(modulated) * F.gelu(self.gate(modulated)))  # F3 · F4


class ConcatFusion(nn.Module):
    """Variant 7 of the ablation: concatenation and two convolutions instead of the module; same shapes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels + 4, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, features: Tensor, rendering: Tensor, depth: Tensor) -> Tensor:
        return features + self.body(torch.cat([features, rendering, depth], dim=1))


def mlp(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """1x1 convolution, GELU, 1x1 convolution: the paper's MLP."""
    return nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.GELU(), nn.Conv2d(hidden, out_channels, 1))


def _depthwise(channels: int) -> nn.Sequential:
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    return nn.Sequential(nn.Conv2d(channels, channels, 1), depthwise)
