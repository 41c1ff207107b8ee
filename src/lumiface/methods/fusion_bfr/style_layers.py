"""The layers of StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", §2-4)
in plain PyTorch, without custom kernels, so that they run and export on any device.

Weights are stored as samples of N(0, 1) and scaled at run time (equalised learning rate, Karras et al. 2018,
"Progressive Growing of GANs", §4.1), so that all layers have the same effective learning rate.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.methods.fusion_bfr.precision import float32_math, to_float32
from lumiface.methods.fusion_bfr.resampling_conv import conv_down, conv_up

SLOPE = 0.2
"""Negative slope of the leaky ReLU."""

GAIN = math.sqrt(2.0)
"""Factor after a leaky ReLU that preserves the variance of the signal."""


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, times √2."""
    return F.leaky_relu(x, SLOPE) * GAIN


def deactivate(x: Tensor) -> Tensor:
    """The inverse of `activate`."""
    return torch.where(x > 0, x, x / SLOPE) / GAIN


class EqualLinear(nn.Module):
    """A linear layer with equalised learning rate.

    Args:
        in_features, out_features: as of `nn.Linear`.
        bias: initial value of the biases.
        lr_multiplier: this layer's learning rate over that of the other layers (mapping network: 0.01).

    Shape: (..., in_features) -> (..., out_features).
    """

    def __init__(
        self, in_features: int, out_features: int, bias: float = 0.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias / lr_multiplier))
        self.scale, self.lr_multiplier = lr_multiplier / math.sqrt(in_features), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)

    @torch.no_grad()
    def set(self, weight: Tensor, bias: Tensor) -> None:
        """Set the parameters so that the layer computes `weight @ x + bias`."""
        self.weight.copy_(weight / self.scale)
        self.bias.copy_(bias / self.lr_multiplier)


class EqualConv2d(nn.Module):
    """A convolution with equalised learning rate that keeps or halves the resolution.

    Halving blurs first to prevent aliasing.

    Shape: (B, in_channels, H, W) -> (B, out_channels, H, W), or (B, out_channels, H/2, W/2) with `down`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, bias: bool = True, down: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale, self.padding, self.down = 1.0 / math.sqrt(in_channels * kernel**2), kernel // 2, down

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if not self.down:
            return F.conv2d(x, weight, self.bias, padding=self.padding)
        return conv_down(x, weight, self.bias)


class ModulatedConv2d(nn.Module):
    """A convolution whose kernel is scaled per image and input channel by the image's style (§2.2).

    Scaling the kernel, as in equations 1 and 3, and scaling the layer's input and output are equivalent; the
    latter needs no separate kernel per image.

    Args:
        latent: length of w.
        demodulate: give the outputs unit standard deviation (all but the RGB layers).
        up: double the resolution.

    Shape: (B, in_channels, H, W) and (B, latent) -> (B, out_channels, H, W), or twice that size with `up`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        latent: int,
        *,
        demodulate: bool = True,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.affine = EqualLinear(latent, in_channels, bias=1.0)
        self.scale = 1.0 / math.sqrt(in_channels * kernel**2)
        self.padding, self.demodulate, self.up = kernel // 2, demodulate, up

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        weight = self.weight * self.scale
        w = to_float32(w)
        with float32_math(w):
            style = self.affine(w)  # s, (B, in_channels)
        x = x * style[:, :, None, None]
        x = conv_up(x, weight) if self.up else F.conv2d(x, weight, padding=self.padding)
        if self.demodulate:
            with float32_math(w):
                power = style.square() @ weight.square().sum(dim=(2, 3)).T  # Σ (s·w)², (B, out_channels)
            x = x * (power + 1e-8).rsqrt()[:, :, None, None]
        return x
