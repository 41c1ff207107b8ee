"""Lightening back-projection: lighten, darken again, and learn from what the way back has lost.

Wang, Liu, Siu, Lun: "Lightening Network for Low-Light Image Enhancement" (DLN, IEEE TIP 2020): the lightening
and darkening operators, the lightening back-projection block (LBP) and the feature aggregation (FA).

Exact: kernels, widths, the half-wide code of both operators, PReLU behind each convolution, FA's ratio of 16.
Deviations: FA's bottleneck keeps at least four channels, for networks narrower than the paper's, and leaks.
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
    """L and D: a code of half the width, and an offset that stands for light: added in L, subtracted in D.

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

    Were the lightening right, darkening it again would give X back; what is missing is lightened and added.

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
    """FA: several stages' features, each channel raised by a weight in (0, 1) from all means, mixed by 1x1.

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
        # NOTE(paper): ReLU there. Of so few units without bias, often none is awake for any picture; then the
        # weights are 1/2 for ever, because no gradient comes back.
        weights = torch.sigmoid(self.excite(F.leaky_relu(self.squeeze(means), 0.1)))
        return self.mix(features + features * weights)


def start_near_identity(network: nn.Module, last: nn.Conv2d) -> None:
    """Normal start of standard deviation 1.1 / √(inputs of a tap) with zero biases; the `last` layer a tenth.

    For networks of LBPs that add their result to their input. Kaiming's √2 holds the size of features along
    one path; an LBP adds paths up, and behind three of them features are a hundred times as large as in
    front. With 1.1 they stay, and with a small last layer the first pictures are the dark ones.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            taps = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            if isinstance(module, nn.ConvTranspose2d):
                taps //= module.stride[0] * module.stride[1]  # only so many meet at one pixel
            nn.init.normal_(module.weight, std=1.1 / taps**0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    last.weight.data.mul_(0.1)
