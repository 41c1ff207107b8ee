"""MobileFaceNet: a face of 112x112 pixels -> an identity embedding of length 128.

Chen et al. 2018, "MobileFaceNets: efficient CNNs for accurate real-time face verification on mobile devices",
table 1. Layers, strides, widths and parameter names are those of the published PyTorch weights (foamliu).

# NOTE(paper): ReLU6 and ReLU in place of PReLU; the last 1x1 convolution has a bias and a batch norm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lumiface.core.assets import find_asset

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Normalisation of the published weights: (RGB in [0, 1] - MEAN) / DEVIATION."""

# Expansion, width, number of blocks, stride of the first block: the bottlenecks of table 1.
_STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
_WIDTH, _LAST_WIDTH, _EMBEDDING = 64, 512, 128


class MobileFaceNet(nn.Module):
    """(B, 3, 112, 112), normalised by `MEAN` and `DEVIATION` -> (B, 128), not of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _conv(3, _WIDTH, 3, stride=2)  # 56x56
        self.dw_conv = _Separable(_WIDTH)
        blocks: list[nn.Module] = []
        width = _WIDTH
        for expansion, next_width, count, stride in _STAGES:  # 28x28, 14x14, 14x14, 7x7, 7x7
            for position in range(count):
                blocks.append(_Bottleneck(width, next_width, expansion, stride if position == 0 else 1))
                width = next_width
        self.features = nn.Sequential(*blocks)
        self.conv2 = _conv(width, _LAST_WIDTH, 1)
        self.gdconv = _GlobalDepthwise(_LAST_WIDTH)
        self.conv3 = nn.Conv2d(_LAST_WIDTH, _EMBEDDING, 1)
        self.bn = nn.BatchNorm2d(_EMBEDDING)

    def forward(self, faces: Tensor) -> Tensor:
        maps = self.conv2(self.features(self.dw_conv(self.conv1(faces))))  # (B, 512, 7, 7)
        return self.bn(self.conv3(self.gdconv(maps))).flatten(1)


def trained_mobilefacenet() -> MobileFaceNet:
    """The network with its published weights, frozen, in evaluation mode.

    Raises:
        AssetMissing: the weights are not on this machine.
    """
    network = MobileFaceNet()
    network.load_state_dict(torch.load(find_asset("mobilefacenet"), map_location="cpu", weights_only=True))
    return network.requires_grad_(requires_grad=False).eval()


class _Separable(nn.Module):
    """Depthwise 3x3, then pointwise 1x1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.bn1(self.depthwise(maps)).relu()
        return self.bn2(self.pointwise(maps)).relu()


class _Bottleneck(nn.Module):
    """Inverted bottleneck: 1x1 expansion, depthwise 3x3, 1x1 projection; residual where the shapes agree."""

    def __init__(self, width: int, next_width: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.conv = nn.Sequential(
            _conv(width, hidden, 1),
            _conv(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, next_width, 1, bias=False),
            nn.BatchNorm2d(next_width),
        )
        self.keeps_shape = stride == 1 and width == next_width

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.conv(maps) if self.keeps_shape else self.conv(maps)


class _GlobalDepthwise(nn.Module):
    """Global depthwise convolution: 7x7 -> 1x1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, groups=width, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, maps: Tensor) -> Tensor:
        return self.bn(self.depthwise(maps))


def _conv(width: int, next_width: int, side: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(width, next_width, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(next_width), nn.ReLU6())
