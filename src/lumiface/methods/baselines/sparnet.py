"""SPARNet: residual blocks with spatial attention on the structure of faces.

Chen, Gong, Wang, Li, Wong: "Learning Spatial Attention for Face Super-Resolution" (IEEE TIP 2021), §III,
Fig. 2-3; sizes of its 128x128 experiments (§IV-A) and of its authors' code.

Exact: the input upscaled first; encoder 32-64-128-128, ten units at 1/8 of the resolution, decoder; every
unit pre-activated with batch norm and leaky ReLU, its hourglass (64 channels) down to 4x4 for a 128x128
image, one attention value per pixel (2D; 3D is the `volume` setting).
Deviations: replicate instead of reflection padding; values in [0, 1] instead of [-1, 1]; torch's default
initialisation instead of N(0, 0.02) (`NOTE(paper)` below).
Batch norm is kept as in the paper: in evaluation it uses running statistics, so that the output for an image
does not depend on the batch; the EMA includes these statistics.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings

_HALVINGS = 3  # from the image to the features between encoder and decoder: 128 -> 16
_DEEPEST = 4  # levels of the hourglass of a unit whose features are 64x64: down to 4x4


class SPARNetConfig(Settings):
    """The configuration of a SPARNet; stored in every checkpoint."""

    channels: int = Field(
        default=32, ge=8, description="C: channels at full resolution; 2C, 4C and 4C at 1/2, 1/4 and 1/8"
    )
    hourglass_channels: int = Field(default=64, ge=8, description="channels of the attention's hourglasses")
    blocks: int = Field(default=10, ge=1, description="face attention units between encoder and decoder")
    attention: Literal["plane", "volume"] = Field(
        default="plane",
        description="plane: one weight per pixel (the paper's 2D); volume: one per pixel and channel (3D)",
    )
    scale: Literal[2, 4, 8] = Field(default=4, description="s: bicubic upscaling before the first layer")


class PaddedConv(nn.Conv2d):
    """3x3 convolution with replicate padding, optionally of stride 2.

    Shape: (B, before, H, W) -> (B, after, H, W), or half the size, rounded up, with `stride` 2.
    """

    def __init__(self, before: int, after: int, stride: int = 1, bias: bool = True) -> None:
        # NOTE(paper): reflection padding there, which needs two pixels; replicate padding works at any size.
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
    """The features times weights in (0, 1) from an hourglass of `depth` levels.

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
        x = features
        for skip, down in zip(self.skip, self.down, strict=True):
            skips.append(skip(x))
            x = down(x)
        x = self.middle(x)
        for up in self.up:
            skipped = skips.pop()
            x = up(F.interpolate(x, size=skipped.shape[-2:], mode="nearest")) + skipped
        return features * torch.sigmoid(self.weigh(x))


class FaceAttentionUnit(nn.Module):
    """FAU: norm, activation, convolution, norm, activation, convolution, norm, attention; added to its input.

    With `resize` "down" the second convolution has stride 2; with "up" the first one follows nearest
    upsampling. The shortcut is then a convolution with the same resizing (§III-B, Fig. 3).

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
        self.upsamples = resize == "up"
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
        if self.upsamples:
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
            active = F.interpolate(active, scale_factor=2.0, mode="nearest")
        residual = self.second_norm(self.second(self.first(active)))
        return self.shortcut(features) + self.attention(residual)


class SPARNet(nn.Module):
    """Upscale; F = Conv(I); three FAUs down, `blocks` FAUs, three FAUs up; I_SR = Conv(F) (Fig. 2).

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: SPARNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * times for times in (1, 2, 4, 4)]
        depths = [_DEEPEST - level for level in range(_HALVINGS)]  # 4, 3, 2
        # NOTE(paper): values stay in [0, 1]; the first layer's bias and the norms absorb the offset.
        # NOTE(paper): torch's default initialisation; batch norm removes the scale of the weights anyway.
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
        # A unit's hourglass works at its output resolution: one level more than in the encoder.
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
