"""Antialiased resampling of a picture through an affine map; only the needed part is read."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(rgb: Tensor, back: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample `rgb` (1, 3, H, W) on a grid of `size` (h, w) -> (1, 3, h, w), clipped to [0, 1].

    `back` (2, 3) maps the unit square of the output to pixels of `rgb` (pixel-edge). Bicubic; where the
    output is the coarser one, it is sampled at no less than the density of `rgb` first and then reduced with
    an antialiased bicubic. Beyond its border `rgb` is mirrored. Only the needed part is read: memory grows
    with the larger of the output and its footprint.
    """
    back = back.double().to(rgb.device)
    shrink = math.sqrt(abs(float(torch.linalg.det(back[:, :2]))) / (size[0] * size[1]))
    density = max(1, math.ceil(shrink - 1e-3))  # samples per output pixel and axis
    sampled = _sample(rgb, back, (size[0] * density, size[1] * density))
    if density > 1:
        sampled = F.interpolate(sampled, size, mode="bicubic", antialias=True, align_corners=False)
    return sampled.clamp(0.0, 1.0)


def _sample(rgb: Tensor, back: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = rgb.shape[-2:]
    corners = back @ back.new_tensor([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    low = (corners.amin(1).floor() - 3).tolist()  # bicubic reaches two pixels further
    high = (corners.amax(1).ceil() + 3).tolist()
    # The window inside the picture, never empty; outside of the picture it is mirrored.
    left, top = min(max(int(low[0]), 0), width - 1), min(max(int(low[1]), 0), height - 1)
    right, bottom = min(max(int(high[0]), left + 1), width), min(max(int(high[1]), top + 1), height)
    window = rgb[..., top:bottom, left:right]
    # `grid_sample` counts from -1 to 1 on both sides. Output: unit square = (grid + 1) / 2 ...
    linear, shift = back[:, :2] / 2, back[:, 2:] + back[:, :2].sum(1, keepdim=True) / 2
    # ... and window: grid = 2 (pixel - corner) / side - 1.
    sides = back.new_tensor([[right - left], [bottom - top]])
    corner = back.new_tensor([[left], [top]])
    theta = torch.cat([linear * 2 / sides, (shift - corner) * 2 / sides - 1.0], 1)
    grid = F.affine_grid(theta[None].to(rgb.dtype), [1, 3, *size], align_corners=False)
    return F.grid_sample(window, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
