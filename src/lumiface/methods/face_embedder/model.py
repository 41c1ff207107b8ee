"""Our own face recogniser: aligned face -> embedding, whose cosine tells whether two faces are one person.

It compares the face in a dark photograph with the restored one, so both are first brought to the same mean by
a gamma curve, and it was trained on what such a curve makes of darkness, noise and compression.
"""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.losses.recognition_crop import SIDE

_FOLD = 2
"""Side of the squares of pixels that become channels: layers at full size would cost as much as the rest."""


class FaceEmbedderConfig(Settings):
    """What defines one network; stored in every checkpoint."""

    widths: tuple[int, ...] = Field(
        default=(48, 96, 192), description="channels at 28, 14 and 7 pixels per side"
    )
    blocks: tuple[int, ...] = Field(default=(1, 1, 1), description="residual blocks at each of them")
    dimensions: int = Field(default=128, ge=8, description="length of the embedding: the teacher's")


class FaceEmbedder(nn.Module):
    """(B, 3, 112, 112), RGB in [0, 1] -> (B, D), unit length.

    The crops are those of `recognition_crop`, lit by `equalise_exposure`.
    """

    def __init__(self, config: FaceEmbedderConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        before = 3 * _FOLD**2
        for width, count in zip(config.widths, config.blocks, strict=True):
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [Block(width) for _ in range(count)]
            before = width
        self.body = nn.Sequential(*layers)
        side = SIDE // _FOLD >> len(config.widths)
        # One weight for each place and channel (MobileFaceNet, table 1): eyes and chin do not count alike.
        self.pool = nn.Sequential(
            nn.BatchNorm2d(before), nn.Conv2d(before, before, side, groups=before, bias=False)
        )
        self.head = nn.Linear(before, config.dimensions)

    def forward(self, crops: Tensor) -> Tensor:
        maps = self.body(F.pixel_unshuffle(2.0 * crops - 1.0, _FOLD))  # (B, 192, 7, 7)
        embedding = self.head(self.pool(maps).flatten(1))
        return F.normalize(embedding.float())


class Block(nn.Module):
    """x + Conv(ReLU(BN(Conv(BN(x))))), without a last activation (He et al. 2016; Deng et al. 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)
