"""Bilinear sampling of images that is differentiable any number of times, on every device.

R1 differentiates the discriminator's gradient at augmented images once more, and `F.grid_sample` has no
second derivative on a GPU. Sampling is linear in the image, S·x, and with the grid constant nothing else
needs a gradient: the derivative is Sᵀ·ȳ, and the derivative of that is S again. torch has a kernel for each,
one launch and the memory traffic of one image; written with indices and weights, each corner would need an
index of 8 bytes per value, and a dozen launches. Sᵀ adds with atomics on a GPU: four per value, of RGB images
alone.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BILINEAR, _REFLECTION = 0, 2
"""The numbers of mode and padding mode."""


def sample_reflected(images: Tensor, grid: Tensor) -> Tensor:
    """`F.grid_sample` with bilinear weights, reflected beyond the border, without corner alignment.

    Args:
        images: (B, C, H, W); differentiable any number of times.
        grid: (B, H, W, 2), x and y in [-1, 1]; gets no gradient.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: the grid has another size than the images.
    """
    if grid.shape != (len(images), *images.shape[-2:], 2):
        raise ValueError(f"a grid of {tuple(grid.shape)} for images of {tuple(images.shape)}")
    return _Sample.apply(images, grid)


class _Sample(torch.autograd.Function):
    """S·x."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Scatter.apply(gradients[0], grid), None


class _Scatter(torch.autograd.Function):
    """Sᵀ·ȳ."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        # Of the images, the second argument, only the shape matters: their values enter the grid's gradient.
        scattered, _ = torch.ops.aten.grid_sampler_2d_backward(
            gradient, gradient, grid, _BILINEAR, _REFLECTION, False, [True, False]
        )
        return scattered

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradients[0], grid), None
