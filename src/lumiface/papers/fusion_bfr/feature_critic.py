"""A critic who judges what a trained network sees of a face, not its pixels.

Sauer et al. 2021, "Projected GANs Converge Faster", §3: features of a frozen network, mixed by random
projections that are not trained, and a small head for each scale. It need not learn to see first, and its
turns are cheap: no gradient passes through the features when it learns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lumiface.losses.vgg19 import Backbone, PreActivations
from lumiface.papers.fusion_bfr.style_layers import activate


class FeatureCritic(nn.Module):
    """Are a face's features those of real ones? A number for each place of each scale, higher for yes.

    Args:
        backbone: whose features; see `PreActivations`.
        width: channels of the projections and the heads.

    Shape: (B, 3, R, R) in about [-1, 1] -> (B, places).
    """

    def __init__(self, backbone: Backbone = "vgg19-conv3_1", width: int = 64) -> None:
        super().__init__()
        self.features = PreActivations(backbone)
        with torch.no_grad():
            depths = [seen.shape[1] for seen in self.features(torch.zeros(1, 3, 32, 32))]
        self.project = nn.ModuleList(nn.Conv2d(depth, width, 1, bias=False) for depth in depths)
        self.project.requires_grad_(requires_grad=False)
        self.heads = nn.ModuleList(_Head(width, halvings) for halvings in range(len(depths), 0, -1))

    def forward(self, picture: Tensor) -> Tensor:
        seen = self.features(0.5 * (picture + 1.0))
        verdicts = [
            head(project(features))
            for features, project, head in zip(seen, self.project, self.heads, strict=True)
        ]
        return torch.cat([verdict.flatten(1) for verdict in verdicts], dim=1)


class _Head(nn.Module):
    """Features of one scale -> verdicts, as many times halved.

    Shape: (B, width, H, W) -> (B, 1, h, w).
    """

    def __init__(self, width: int, halvings: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 4, stride=2, padding=1) for _ in range(halvings))
        self.verdict = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        x = self.norm(features)
        for layer in self.down:
            x = activate(layer(x))
        return self.verdict(x)
