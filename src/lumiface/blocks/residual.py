"""The pre-activation residual block of diffusion U-Nets.

He et al. 2016, "Identity Mappings in Deep Residual Networks", Fig. 4e, with group instead of batch
normalisation (Wu and He 2018) and, with a time embedding, scale and shift by it (Dhariwal and Nichol
2021, "Diffusion Models Beat GANs on Image Synthesis", §3.1).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

GROUP = 16
"""Channels per group; one group of all channels where it does not divide them."""


class ResidualBlock(nn.Module):
    """x + Conv(SiLU(Norm(Conv(SiLU(Norm(x)))))), any size; initially the identity.

    Args:
        channels: C of input and output.
        embedding: length of the time embedding; 0: none.

    Shape: (B, C, H, W) [and (B, embedding)] -> (B, C, H, W).
    """

    def __init__(self, channels: int, embedding: int = 0) -> None:
        super().__init__()
        self.norm1, self.norm2 = group_norm(channels), group_norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * channels) if embedding else None
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias) if self.conv2.bias is not None else None

    def forward(self, features: Tensor, embedding: Tensor | None = None) -> Tensor:
        hidden = self.norm2(self.conv1(F.silu(self.norm1(features))))
        if self.modulate is not None and embedding is not None:
            scale, shift = self.modulate(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
            hidden = hidden * (1.0 + scale) + shift
        return features + self.conv2(F.silu(hidden))


def group_norm(channels: int) -> nn.GroupNorm:
    """Groups of 16 channels, or one group where 16 does not divide them."""
    return nn.GroupNorm(channels // GROUP if channels % GROUP == 0 else 1, channels)
