"""The layers that StyleGAN2 is made of (Karras et al. 2020, "Analyzing and Improving the Image Quality of
StyleGAN", §2-4), in plain PyTorch: no kernel of our own, so that they run and export anywhere.

Weights are stored as drawn from N(0, 1) and scaled when they are used (equalised learning rate, Karras et al.
2018, "Progressive Growing of GANs", §4.1), so that every layer learns at the same pace.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.methods.fusion_bfr.resampling_conv import conv_down, conv_up

SLOPE = 0.2
"""Of the leaky ReLU, below 0."""

GAIN = math.sqrt(2.0)
"""After a leaky ReLU, so that the signal's variance stays."""


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, times √2."""
    return F.leaky_relu(x, SLOPE) * GAIN


def deactivate(x: Tensor) -> Tensor:
    """What `activate` makes x of."""
    return torch.where(x > 0, x, x / SLOPE) / GAIN


class EqualLinear(nn.Module):
    """A linear layer with equalised learning rate.

    Args:
        bias: what each bias starts from.
        rate: this layer's learning rate over the others' (the mapping network's 0.01).

    Shape: (..., inputs) -> (..., outputs).
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)

    @torch.no_grad()
    def set(self, weight: Tensor, bias: Tensor) -> None:
        """Let the layer compute `weight @ x + bias`."""
        self.weight.copy_(weight / self.scale)
        self.bias.copy_(bias / self.rate)


class EqualConv2d(nn.Module):
    """A convolution with equalised learning rate that keeps or halves the size.

    Halving blurs first, so that nothing aliases.

    Shape: (B, inputs, H, W) -> (B, outputs, H, W), or half of it.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, bias: bool = True, down: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.padding, self.down = 1.0 / math.sqrt(inputs * kernel**2), kernel // 2, down

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if not self.down:
            return F.conv2d(x, weight, self.bias, padding=self.padding)
        return conv_down(x, weight, self.bias)


class ModulatedConv2d(nn.Module):
    """A convolution whose kernel each picture's style scales, input channel by input channel (§2.2).

    Scaling the kernel, as equations 1 and 3 have it, and scaling what goes in and comes out are the same
    thing; the second needs no kernel of its own for each picture.

    Args:
        style: length of a code.
        demodulate: give the outputs a deviation of 1 (all but the layers that make colours).
        up: double the size.

    Shape: (B, inputs, H, W) and (B, style) -> (B, outputs, H, W), or twice as large.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style: int,
        *,
        demodulate: bool = True,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.affine = EqualLinear(style, inputs, bias=1.0)
        self.scale = 1.0 / math.sqrt(inputs * kernel**2)
        self.padding, self.demodulate, self.up = kernel // 2, demodulate, up

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        style = self.affine(code)  # s, (B, inputs)
        weight = self.weight * self.scale
        x = x * style[:, :, None, None]
        x = conv_up(x, weight) if self.up else F.conv2d(x, weight, padding=self.padding)
        if self.demodulate:
            power = style.square() @ weight.square().sum(dim=(2, 3)).T  # Σ (s·w)², (B, outputs)
            x = x * (power + 1e-8).rsqrt()[:, :, None, None]
        return x
