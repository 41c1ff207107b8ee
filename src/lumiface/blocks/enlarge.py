"""Enlargement by whole factors whose backward pass adds nothing atomically: for training on CUDA.

The backward passes of `F.interpolate` scatter: many gradients are added to one, atomically, compiled or not.
The same operations written with copies, stacks and sums have a backward pass of copies and sums. They are
used only where a gradient is needed on CUDA; elsewhere results stay those of `F.interpolate` bit for bit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarge_nearest(x: Tensor) -> Tensor:
    """Twice the side, nearest neighbour. (B, C, H, W) -> (B, C, 2·H, 2·W)."""
    return repeat_pixels(x) if _trained_on_cuda(x) else F.interpolate(x, scale_factor=2.0, mode="nearest")


def enlarge_bilinear(x: Tensor) -> Tensor:
    """Four times the side, bilinear, pixel centres aligned. (B, C, H, W) -> (B, C, 4·H, 4·W).

    Exported, too, it is written with sums: in bf16, OpenVINO interpolates with an error of 6/255 at edges.
    """
    if _trained_on_cuda(x) or torch.onnx.is_in_onnx_export():
        return _four_times(_four_times(x, 2), 3)
    return F.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False)


def repeat_pixels(x: Tensor) -> Tensor:
    """Equal to nearest-neighbour interpolation to twice the side; in channels-last memory order."""
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(-1, -1, 2, -1, 2, -1)
    return rows.reshape(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def _four_times(x: Tensor, dim: int) -> Tensor:
    """Linear interpolation along one axis; equal to F.interpolate's up to float rounding."""
    length = x.shape[dim]
    before = torch.cat([x.narrow(dim, 0, 1), x.narrow(dim, 0, length - 1)], dim)
    after = torch.cat([x.narrow(dim, 1, length - 1), x.narrow(dim, length - 1, 1)], dim)
    quarters = [
        0.375 * before + 0.625 * x,
        0.125 * before + 0.875 * x,
        0.875 * x + 0.125 * after,
        0.625 * x + 0.375 * after,
    ]
    return torch.stack(quarters, dim + 1).flatten(dim, dim + 1)


def _trained_on_cuda(x: Tensor) -> bool:
    return x.is_cuda and x.requires_grad and torch.is_grad_enabled()
