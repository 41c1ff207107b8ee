"""CTCNet: convolutions for local detail and channel attention for global structure, at three scales.

Gao, Xu, Li, Yang, Zeng, Qi: "CTCNet: A CNN-Transformer Cooperation Network for Face Image Super-Resolution"
(IEEE TIP 2023), §III, Fig. 2-6; what the text leaves open (kernels, activations, shared weights) follows its
authors' code.

Exact: the input upscaled first; encoder 32-64-128 channels of local-global modules (LGCM), four refinement
modules (FRM) at 1/8 of the resolution, decoder of fusion units (MFFU) and LGCMs; a global residual
connection; 22.4 M parameters.
Deviations: replicate instead of reflection padding in the hourglasses; leaky ReLU inside channel attention;
values in [0, 1] instead of [-1, 1]; torch's default initialisation instead of N(0, 0.02) (`NOTE(paper)`
below).
Batch norm is kept; in evaluation it uses running statistics, so that the output for an image does not depend
on the batch.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.channel_transformer import ChannelTransformer
from lumiface.core.settings import Settings


class CTCNetConfig(Settings):
    """The configuration of a CTCNet; stored in every checkpoint."""

    channels: int = Field(
        default=32,
        ge=8,
        multiple_of=4,
        description="C: channels at full resolution; 2C at 1/2, 4C at 1/4 and below",
    )
    transformers: tuple[int, int, int] = Field(
        default=(4, 6, 6), description="transformer blocks in the LGCMs at full, 1/2 and 1/4 resolution"
    )
    refinements: int = Field(default=4, ge=1, description="refinement modules (FRM) at 1/8 of the resolution")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: bicubic upscaling before the first layer")


class ChannelAttention(nn.Sequential):
    """Channel weights in (0, 1) from the means of all channels. Shape: (B, C, H, W) -> (B, C, 1, 1)."""

    def __init__(self, channels: int) -> None:
        hidden = max(channels // 16, 2)
        squeeze, excite = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        # NOTE(paper): leaky ReLU instead of ReLU; with two to eight units, all may be dead from the start.
        super().__init__(nn.AdaptiveAvgPool2d(1), squeeze, nn.LeakyReLU(0.1), excite, nn.Sigmoid())


class NormedConv(nn.Sequential):
    """3x3 convolution with replicate padding, batch norm, PReLU.

    Shape: (B, before, H, W) -> (B, after, H, W), or half the size, rounded up, with `stride` 2.
    """

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        # NOTE(paper): reflection padding there, which needs two pixels; replicate padding works at any size.
        conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False, padding_mode="replicate")
        super().__init__(conv, nn.BatchNorm2d(after), nn.PReLU(after))


class ScaledResidual(nn.Module):
    """a·x + b·Conv(PReLU(Conv(x))) with half the channels inside; a and b are learned.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, half, 3, padding=1), nn.PReLU(half), nn.Conv2d(half, channels, 3, padding=1)
        )
        self.keep = nn.Parameter(torch.ones(1))
        self.add = nn.Parameter(torch.ones(1))

    def forward(self, features: Tensor) -> Tensor:
        return self.keep * features + self.add * self.body(features)


class FeatureExtraction(nn.Module):
    """Feature extraction unit (FEU): two residual blocks, channel attention on both outputs, skip (Fig. 4).

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ScaledResidual(channels)
        self.second = ScaledResidual(channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.attention = ChannelAttention(channels)
        self.out = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.weights = nn.Parameter(torch.ones(4))

    def forward(self, features: Tensor) -> Tensor:
        second_weight, first_weight, input_weight, output_weight = self.weights
        first = self.first(features)
        both = torch.cat([second_weight * self.second(first), first_weight * first], dim=1)  # (B, 2C, H, W)
        fused = F.relu(self.fuse(both))
        return input_weight * features + output_weight * F.relu(self.out(fused * self.attention(fused)))


class StructureAttention(nn.Module):
    """One weight in (0, 1) per pixel, from an hourglass of `depth` levels with channel attention.

    Shape: (B, C, H, W) -> (B, C, H, W), any H and W.
    """

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__()
        befores = [channels] + [width] * (depth - 1)
        self.skip = nn.ModuleList(NormedConv(before, width) for before in befores)
        self.down = nn.ModuleList(NormedConv(before, width, stride=2) for before in befores)
        self.middle = NormedConv(width, width)
        self.up = nn.ModuleList(NormedConv(width, width) for _ in range(depth))
        self.attention = ChannelAttention(width)
        self.shortcut = nn.Identity() if channels == width else nn.Conv2d(channels, width, 1)
        self.weigh = nn.Conv2d(width, 1, 3, padding=1, padding_mode="replicate")

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
        x = x * self.attention(x) + self.shortcut(features)
        return features * torch.sigmoid(self.weigh(x))


class StructureUnit(nn.Sequential):
    """Facial structure attention unit (FSAU): FEU, attention, FEU. Shape: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__(
            FeatureExtraction(channels),
            StructureAttention(channels, width, depth),
            FeatureExtraction(channels),
        )


class LocalGlobal(nn.Module):
    """Local-global feature cooperation module (LGCM): FSAU, then transformer blocks, with a skip.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, width: int, transformers: int, heads: int) -> None:
        super().__init__()
        self.local = StructureUnit(channels, width, depth=4)
        self.whole = nn.Sequential(*(ChannelTransformer(channels, heads) for _ in range(transformers)))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.whole(self.local(features))


class Refinement(nn.Module):
    """Feature refinement module (FRM): FSAU, then coarse and fine components, each through one FEU twice.

    Shape: (B, C, H, W) -> (B, C, H, W), H and W even.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.extract = FeatureExtraction(channels)
        self.attention = StructureAttention(channels, width, depth=2)
        self.align = FeatureExtraction(channels)  # used twice, as the next two, as in the authors' code
        self.coarse = FeatureExtraction(channels)
        self.fine = FeatureExtraction(channels)
        self.weigh_coarse = nn.Parameter(torch.full((1,), 0.5))
        self.weigh_fine = nn.Parameter(torch.full((1,), 0.5))
        self.compress = nn.Conv2d(2 * channels, channels, 1)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.fuse = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        local = self.align(self.attention(self.extract(features)))
        coarse = F.avg_pool2d(local, 2)
        fine = self.fine(local - _double(coarse))
        coarse = self.coarse(coarse)
        both = torch.cat([self.weigh_coarse * _double(coarse), self.weigh_fine * fine], dim=1)
        fine = self.weigh_coarse * self.fine(self.compress(both))
        coarse = self.weigh_fine * _double(self.coarse(coarse))
        fused = F.relu(self.fuse(torch.cat([coarse, fine], dim=1))) + local * self.gate(local)
        return features + self.align(fused)


class Fusion(nn.Module):
    """Multi-scale feature fusion unit (MFFU): what the sizes know, side by side, weighed by channel (Fig. 6).

    Shape: list of (B, any, H, W), `before` channels together -> (B, after, H, W).
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(before, after, 3, padding=1)
        self.attention = ChannelAttention(after)

    def forward(self, parts: list[Tensor]) -> Tensor:
        fused = self.fuse(torch.cat(parts, dim=1))
        return fused * self.attention(fused)


class CTCNet(nn.Module):
    """I_SR = I + Conv(Decoder(FRMs(Encoder(Conv(I))))) on the upscaled image I (Fig. 2).

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.
    """

    def __init__(self, config: CTCNetConfig) -> None:
        super().__init__()
        self.config = config
        c, c2, c4 = config.channels, 2 * config.channels, 4 * config.channels
        at_full, at_half, at_quarter = config.transformers
        # NOTE(paper): values stay in [0, 1], and weights start as torch's layers do.
        self.head = nn.Conv2d(3, c, 3, padding=1)
        self.encode_full = LocalGlobal(c, c2, at_full, heads=1)
        self.down_half, self.encode_half = _down(c, c2), LocalGlobal(c2, c2, at_half, heads=2)
        self.down_quarter, self.encode_quarter = _down(c2, c4), LocalGlobal(c4, c2, at_quarter, heads=4)
        self.down_eighth = _down(c4, c4)
        self.refine = nn.Sequential(*(Refinement(c4, c2) for _ in range(config.refinements)))
        self.up_quarter, self.decode_quarter = _up(c4, c4), LocalGlobal(c4, c2, at_quarter, heads=4)
        self.up_half, self.decode_half = _up(c4, c2), LocalGlobal(c2, c2, at_half, heads=2)
        self.up_full, self.decode_full = _up(c2, c), LocalGlobal(c, c2, at_full, heads=1)
        # The encoder's features at the other sizes: one halving layer for full size, wherever it is needed.
        self.halve_full = nn.Conv2d(c, c, 3, stride=2, padding=1)
        self.halve_half = nn.Conv2d(c2, c2, 3, stride=2, padding=1)
        self.double_half = nn.ConvTranspose2d(c2, c2, 8, stride=2, padding=3)
        self.double_quarter = nn.ConvTranspose2d(c4, c4, 8, stride=2, padding=3)
        self.double_quarter_twice = nn.ConvTranspose2d(c4, c4, 6, stride=2, padding=2)
        self.fuse_quarter = Fusion(2 * c4 + c2 + c, c4)
        self.fuse_half = Fusion(2 * c2 + c + c4, c2)
        self.fuse_full = Fusion(2 * c + c2 + c4, c)
        self.tail = nn.Conv2d(c, 3, 3, padding=1)

    def forward(self, low: Tensor) -> Tensor:
        large = F.interpolate(low, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False)
        height, width = large.shape[-2:]
        padded = F.pad(large, (0, -width % 16, 0, -height % 16), mode="replicate")
        full = self.encode_full(self.head(padded))  # (B, C, H, W)
        half = self.encode_half(self.down_half(full))  # (B, 2C, H/2, W/2)
        quarter = self.encode_quarter(self.down_quarter(half))  # (B, 4C, H/4, W/4)
        features = self.up_quarter(self.refine(self.down_eighth(quarter)))
        full_halved = self.halve_full(full)
        features = self.decode_quarter(
            self.fuse_quarter([features, quarter, self.halve_half(half), self.halve_full(full_halved)])
        )
        features = self.decode_half(
            self.fuse_half([self.up_half(features), half, full_halved, self.double_quarter(quarter)])
        )
        quarter_at_full = self.double_quarter_twice(self.double_quarter_twice(quarter))
        features = self.decode_full(
            self.fuse_full([self.up_full(features), full, self.double_half(half), quarter_at_full])
        )
        return (padded + self.tail(features))[..., :height, :width]


def _down(before: int, after: int) -> nn.Sequential:
    first = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
    second = nn.Conv2d(after, after, 3, padding=1, bias=False)
    return nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2))


def _up(before: int, after: int) -> nn.Sequential:
    first = nn.ConvTranspose2d(before, after, 6, stride=2, padding=2, bias=False)
    second = nn.Conv2d(after, after, 3, padding=1, bias=False)
    return nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2))


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=True)
