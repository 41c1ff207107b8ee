"""Reflection of one pixel at the border, for VGG's convolutions, in a form for GPUs.

torch's kernel writes NCHW, which takes the convolutions after it away from their fast layout, and its
backward pass adds every value atomically. Here the image is copied once, and only the border is added.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ReflectionPad(nn.ReflectionPad2d):
    """`nn.ReflectionPad2d(1)`; on a GPU by slices, in the layout of the input.

    Shape: (B, C, H, W), H and W >= 2 -> (B, C, H + 2, W + 2).
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name of `nn.ReflectionPad2d`)
        # torch.compile replaces torch's kernels by its own, without atomic additions.
        by_slices = input.is_cuda and not torch.compiler.is_compiling()
        return reflect_by_slices(input) if by_slices else super().forward(input)


def reflect_by_slices(image: Tensor) -> Tensor:
    """The same on any device; differentiable once."""
    return _Reflect.apply(image)


class _Reflect(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        batch, channels, height, width = image.shape
        dense = image.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if dense else torch.contiguous_format
        padded = torch.empty(
            (batch, channels, height + 2, width + 2),
            dtype=image.dtype,
            device=image.device,
            memory_format=layout,
        )
        padded[:, :, 1:-1, 1:-1] = image
        padded[:, :, 0, 1:-1], padded[:, :, -1, 1:-1] = image[:, :, 1], image[:, :, -2]
        padded[..., 0], padded[..., -1] = padded[..., 2], padded[..., -3]
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        total[..., 2] += total[..., 0]
        total[..., -3] += total[..., -1]
        total[:, :, 2] += total[:, :, 0]
        total[:, :, -3] += total[:, :, -1]
        return total[:, :, 1:-1, 1:-1]
