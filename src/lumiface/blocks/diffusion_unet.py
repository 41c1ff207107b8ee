"""The U-Net of image-space diffusion: residual blocks with a time embedding, at three sizes.

Ho, Jain, Abbeel 2020, "Denoising Diffusion Probabilistic Models", appendix B, without attention, so that any
size will do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.blocks.residual import ResidualBlock, group_norm
from lumiface.blocks.sizes import pad_to_multiple


class DiffusionUNet(nn.Module):
    """Pictures and their noise level -> pictures; initially 0.

    Args:
        inputs, outputs: channels.
        widths: channels of the features at full, half, ... size.

    Shape: (B, inputs, H, W) of any size, and t (B,) -> (B, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        first, *_, last = widths
        self.length = 4 * first
        self.time = nn.Sequential(
            nn.Linear(self.length, self.length), nn.SiLU(), nn.Linear(self.length, self.length)
        )
        self.stem = nn.Conv2d(inputs, first, 3, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(width, self.length) for width in widths)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 3, stride=2, padding=1) for wide, deep in pairs)
        self.middle = ResidualBlock(last, self.length)
        self.up = nn.ModuleList(nn.Conv2d(deep, wide, 3, padding=1) for wide, deep in reversed(pairs))
        self.merge = nn.ModuleList(nn.Conv2d(2 * wide, wide, 1) for wide, _ in reversed(pairs))
        self.decode = nn.ModuleList(ResidualBlock(wide, self.length) for wide, _ in reversed(pairs))
        self.norm = group_norm(first)
        self.head = nn.Conv2d(first, outputs, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    def forward(self, pictures: Tensor, t: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        embedding = self.time(embed_time(t, self.length).to(self.head.weight.dtype))
        x = self.stem(pad_to_multiple(pictures, 2 ** len(self.down)))
        skips: list[Tensor] = []
        for index, block in enumerate(self.encode):
            x = block(x, embedding)
            if index < len(self.down):
                skips.append(x)
                x = self.down[index](x)
        x = self.middle(x, embedding)
        for up, merge, block in zip(self.up, self.merge, self.decode, strict=True):
            x = up(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = block(merge(torch.cat([x, skips.pop()], dim=1)), embedding)
        return self.head(F.silu(self.norm(x)))[..., :height, :width]


def embed_time(t: Tensor, length: int) -> Tensor:
    """Sines and cosines of t (B,) at wavelengths from 2π to 20,000π: (B, length), float32."""
    half = length // 2
    steps = torch.arange(half, device=t.device, dtype=torch.float32) / half
    angles = t[:, None].float() * (-math.log(10_000.0) * steps).exp()
    return torch.cat([angles.cos(), angles.sin()], dim=1)
