"""Lightening back-projection: lighten, darken again, and correct by the residual.

Wang, Liu, Siu, Lun: "Lightening Network for Low-Light Image Enhancement" (DLN, IEEE TIP 2020): the lightening
and darkening operators, the lightening back-projection block (LBP) and the feature aggregation (FA).

Exact: kernels, widths, the half-wide code of both operators, PReLU after each convolution, FA's ratio of
16.
Deviations: FA's bottleneck has at least four channels, for narrower networks than the paper's, and a leaky
ReLU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvPReLU(nn.Sequential):
    """A convolution and a PReLU with one slope for all channels.

    Shape: (B, inputs, H, W) -> (B, outputs, H, W), `side` odd.
    """

    def __init__(self, inputs: int, outputs: int, side: int = 3) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, side, padding=side // 2), nn.PReLU())


class LightOperator(nn.Module):
    """L and D: a code of half the width, and an offset for illumination: added in L, subtracted in D.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, *, lighten: bool) -> None:
        super().__init__()
        half = channels // 2
        self.encode = ConvPReLU(channels, half)
        self.offset = ConvPReLU(half, half)
        self.decode = ConvPReLU(half, channels)
        self.sign = 1.0 if lighten else -1.0

    def forward(self, features: Tensor) -> Tensor:
        code = self.encode(features)  # (B, C/2, H, W)
        return self.decode(code + self.sign * self.offset(code))


class LighteningBackProjection(nn.Module):
    """LBP: X̃ = L1(X), Y = D(X̃), out = λ2(X̃) + L2(λ1(X) - Y), with 1x1 convolutions λ.

    With a perfect lightening, darkening would give X again; the residual is lightened and added.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lighten = LightOperator(channels, lighten=True)
        self.darken = LightOperator(channels, lighten=False)
        self.lighten_residual = LightOperator(channels, lighten=True)
        self.weigh_dark = ConvPReLU(channels, channels, side=1)
        self.weigh_light = ConvPReLU(channels, channels, side=1)

    def forward(self, dark: Tensor) -> Tensor:
        light = self.lighten(dark)
        residual = self.weigh_dark(dark) - self.darken(light)
        return self.weigh_light(light) + self.lighten_residual(residual)


class FeatureAggregation(nn.Module):
    """FA: features of several stages, channel attention with a skip connection, 1x1 convolution.

    Shape: (B, inputs, H, W) -> (B, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(inputs // reduction, 4)
        self.squeeze = nn.Conv2d(inputs, hidden, 1, bias=False)
        self.excite = nn.Conv2d(hidden, inputs, 1, bias=False)
        self.mix = ConvPReLU(inputs, outputs, side=1)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean(dim=(2, 3), keepdim=True)  # (B, inputs, 1, 1)
        # NOTE(paper): ReLU there. With few units and no bias, often all are dead for every image; the weights
        # would then stay 1/2, since there is no gradient.
        weights = torch.sigmoid(self.excite(F.leaky_relu(self.squeeze(means), 0.1)))
        return self.mix(features + features * weights)


def start_near_identity(network: nn.Module, last: nn.Conv2d) -> None:
    """Normal initialisation with standard deviation 1.1 / √fan_in and zero biases; the `last` layer a tenth.

    For networks of LBPs that add their output to their input. Kaiming's √2 preserves the variance along one
    path; an LBP sums several paths, and after three of them features are a hundred times as large. With 1.1
    they keep their size, and with a small last layer the initial output is the dark image.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            if isinstance(module, nn.ConvTranspose2d):
                fan_in //= module.stride[0] * module.stride[1]  # kernel taps that contribute to one pixel
            nn.init.normal_(module.weight, std=1.1 / fan_in**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    last.weight.data.mul_(0.1)
