"""Teacher and student: a 3-level encoder-decoder conditioned on a 3D prior at each level (§3.2, Fig. 1)."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.methods.prior3d.fusion import ConcatFusion, PriorFusion


class EnhancerConfig(Settings):
    """The configuration of an enhancer; stored in every checkpoint."""

    widths: tuple[int, int, int] = Field(default=(48, 96, 192), description="channels of the three levels")
    fusion: Literal["module", "module-bypass", "concat"] = Field(
        default="module",
        description="module: the paper's; module-bypass: the same with its input added to its result; "
        "concat: variant 7 of its ablation",
    )


class Enhancer(nn.Module):
    """A dark face, its rendering and its depth -> the face in normal light. No batch norm.

    NOTE(paper): level 1 works at half the image's size, that of the rendering, after a pixel unshuffle; the
    paper gives T_1 a size of 128 for images of 256 and leaves that of the first level open.

    Shape: (B, 3, H, W) in [0, 1], (B, 3, h, w) in [0, 1], (B, 1, h, w) -> (B, 3, H, W), any H and W.
    """

    def __init__(self, config: EnhancerConfig) -> None:
        super().__init__()
        self.config = config
        fusion = ConcatFusion
        if config.fusion != "concat":
            fusion = partial(PriorFusion, bypass=config.fusion == "module-bypass")
        first, *_ = widths = config.widths
        pairs = list(itertools.pairwise(widths))
        self.stem = nn.Conv2d(12, first, 3, padding=1)
        self.encode = nn.ModuleList(fusion(width) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 4, stride=2, padding=1) for wide, deep in pairs)
        self.up = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in reversed(pairs))
        self.fuse = nn.ModuleList(nn.Conv2d(2 * wide, wide, 1) for wide, _ in reversed(pairs))
        self.decode = nn.ModuleList(fusion(wide) for wide, _ in reversed(pairs))
        # NOTE(paper): bilinear upsampling and convolutions with the image itself; a pixel shuffle of twelve
        # channels leaves a grid.
        self.out = nn.Sequential(
            nn.Conv2d(first + 3, first, 3, padding=1), nn.GELU(), nn.Conv2d(first, 3, 3, padding=1)
        )

    def forward(self, image: Tensor, rendering: Tensor, depth: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        padded = F.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")
        features = self.stem(F.pixel_unshuffle(padded, 2))
        priors = _pyramid(torch.cat([rendering, depth], dim=1), features)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            if level > 0:
                features = self.down[level - 1](features)
            features = block(features, *priors[level])
            skips.append(features)
        features = skips.pop()
        for up, fuse, block in zip(self.up, self.fuse, self.decode, strict=True):
            skip = skips.pop()
            upsampled = F.interpolate(
                up(features), size=skip.shape[-2:], mode="bilinear", align_corners=False
            )
            features = block(fuse(torch.cat([upsampled, skip], dim=1)), *priors[len(skips)])
        upsampled = F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)
        return (padded + self.out(torch.cat([upsampled, padded], dim=1)))[..., :height, :width]


def _pyramid(prior: Tensor, features: Tensor) -> list[tuple[Tensor, Tensor]]:
    """T_1 and D_1 at the size of `features`, T_2 and D_2 at 1/2, T_3 and D_3 at 1/4 of it."""
    finest = F.interpolate(prior, size=features.shape[-2:], mode="bilinear", align_corners=False)
    half = F.avg_pool2d(finest, 2)
    return [(level[:, :3], level[:, 3:]) for level in (finest, half, F.avg_pool2d(half, 2))]
