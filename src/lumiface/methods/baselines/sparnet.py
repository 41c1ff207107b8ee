"""SPARNet: residual blocks that look where a face has structure before they add anything.

Chen, Gong, Wang, Li, Wong: "Learning Spatial Attention for Face Super-Resolution" (IEEE TIP 2021), §III,
Fig. 2-3; sizes as in its 128x128 experiments (§IV-A) and in its authors' code.

Exact: the input enlarged first; encoder 32-64-128-128, ten units at an eighth of the size, decoder back;
every unit pre-activated with batch norm and leaky ReLU, its hourglass (64 wide) down to 4x4 for a 128x128
picture, one attention value per pixel (2D; 3D is the `volume` setting).
Deviations: borders are replicated instead of mirrored; values in [0, 1] instead of [-1, 1]; torch's own
random start instead of N(0, 0.02) (`NOTE(paper)` below).
Batch norm is kept, since it is the paper's: in evaluation it uses running statistics, so that a picture alone
and in a batch comes out the same; the statistics are averaged with the weights.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings

_HALVINGS = 3  # from the picture to the features of the middle: 128 -> 16
_DEEPEST = 4  # halvings inside the hourglass of a unit whose features are 64x64: it ends at 4x4


class SPARNetConfig(Settings):
    """What defines one SPARNet; stored in every checkpoint."""

    channels: int = Field(
        default=32, ge=8, description="C: width at full size; 2C, 4C and 4C at a half, a quarter, an eighth"
    )
    hourglass_channels: int = Field(default=64, ge=8, description="width inside the attention's hourglasses")
    blocks: int = Field(default=10, ge=1, description="face attention units between encoder and decoder")
    attention: Literal["plane", "volume"] = Field(
        default="plane",
        description="plane: one weight per pixel (the paper's 2D); volume: one per pixel and channel (3D)",
    )
    scale: Literal[2, 4, 8] = Field(default=4, description="s: bicubic enlargement before the first layer")


class PaddedConv(nn.Conv2d):
    """3x3 convolution whose border pixels are repeated, on request with every second pixel left out.

    Shape: (B, before, H, W) -> (B, after, H, W), or half the size, rounded up, with `stride` 2.
    """

    def __init__(self, before: int, after: int, stride: int = 1, bias: bool = True) -> None:
        # NOTE(paper): mirrored there, which needs two pixels; repeated borders serve features of any size.
        super().__init__(before, after, 3, stride, padding=1, bias=bias, padding_mode="replicate")


class NormedConv(nn.Module):
    """Convolution without bias, batch norm, leaky ReLU.

    Shape: as `PaddedConv`.
    """

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = PaddedConv(before, after, stride, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, features: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(features)), 0.2)


class SpatialAttention(nn.Module):
    """The features times weights in (0, 1) that an hourglass of `depth` halvings judges from all of them.

    Shape: (B, C, H, W) -> (B, C, H, W), any H and W.
    """

    def __init__(self, channels: int, weights: int, width: int, depth: int) -> None:
        super().__init__()
        befores = [channels] + [width] * (depth - 1)
        self.skip = nn.ModuleList(NormedConv(before, width) for before in befores)
        self.down = nn.ModuleList(NormedConv(before, width, stride=2) for before in befores)
        self.middle = NormedConv(width, width)
        self.up = nn.ModuleList(NormedConv(width, width) for _ in range(depth))
        self.weigh = PaddedConv(width, weights)

    def forward(self, features: Tensor) -> Tensor:
        skips: list[Tensor] = []
        seen = features
        for skip, down in zip(self.skip, self.down, strict=True):
            skips.append(skip(seen))
            seen = down(seen)
        seen = self.middle(seen)
        for up in self.up:
            skipped = skips.pop()
            seen = up(F.interpolate(seen, size=skipped.shape[-2:], mode="nearest")) + skipped
        return features * torch.sigmoid(self.weigh(seen))


class FaceAttentionUnit(nn.Module):
    """FAU: norm, activation, convolution, norm, activation, convolution, norm, attention; added to its input.

    With `resize` "down" the second convolution halves the size; with "up" the first one follows a nearest
    doubling. The shortcut is then a convolution with the same change (§III-B, Fig. 3).

    Shape: (B, before, H, W) -> (B, after, H, W), or H/2, W/2, or 2H, 2W.
    """

    def __init__(
        self,
        before: int,
        after: int,
        config: SPARNetConfig,
        depth: int,
        resize: Literal["keep", "down", "up"],
    ) -> None:
        super().__init__()
        stride = 2 if resize == "down" else 1
        self.enlarges = resize == "up"
        same = resize == "keep" and before == after
        self.shortcut = nn.Identity() if same else PaddedConv(before, after, stride)
        self.norm = nn.BatchNorm2d(before)
        self.first = NormedConv(before, after)
        self.second = PaddedConv(after, after, stride, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        weights = 1 if config.attention == "plane" else after
        self.attention = SpatialAttention(after, weights, config.hourglass_channels, depth)

    def forward(self, features: Tensor) -> Tensor:
        active = F.leaky_relu(self.norm(features), 0.2)
        if self.enlarges:
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            active = F.interpolate(active, scale_factor=2.0, mode="nearest")
        added = self.second_norm(self.second(self.first(active)))
        return self.shortcut(features) + self.attention(added)


class SPARNet(nn.Module):
    """Enlarge; F = Conv(I); three FAUs down, `blocks` FAUs, three FAUs up; I_SR = Conv(F) (Fig. 2).

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: SPARNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * times for times in (1, 2, 4, 4)]
        depths = [_DEEPEST - level for level in range(_HALVINGS)]  # 4, 3, 2
        # NOTE(paper): values stay in [0, 1]; the first layer's bias and the norms absorb the shift.
        # NOTE(paper): weights start as torch's layers do; batch norm takes out their size in either case.
        self.head = PaddedConv(3, widths[0])
        self.encoder = nn.Sequential(
            *(
                FaceAttentionUnit(before, after, config, depth, "down")
                for (before, after), depth in zip(pairwise(widths), depths, strict=True)
            )
        )
        self.middle = nn.Sequential(
            *(
                FaceAttentionUnit(widths[-1], widths[-1], config, depths[-1], "keep")
                for _ in range(config.blocks)
            )
        )
        # A unit's hourglass works at the unit's output size: one halving more than its twin in the encoder.
        self.decoder = nn.Sequential(
            *(
                FaceAttentionUnit(before, after, config, depth + 1, "up")
                for (before, after), depth in zip(pairwise(widths[::-1]), depths[::-1], strict=True)
            )
        )
        self.tail = PaddedConv(widths[0], 3)

    def forward(self, low: Tensor) -> Tensor:
        large = F.interpolate(low, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False)
        height, width = large.shape[-2:]
        multiple = 2**_HALVINGS
        padded = F.pad(large, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        features = self.decoder(self.middle(self.encoder(self.head(padded))))
        return self.tail(features)[..., :height, :width]
