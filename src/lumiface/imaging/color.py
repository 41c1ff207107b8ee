"""Luma and YCbCr, by BT.601."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.imaging.strips import strips


def luma(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) → (B, 1, H, W): BT.601 luma, full range, `0.299 R + 0.587 G + 0.114 B`, in [0, 1]."""
    return _weighted_sum(rgb, 0.299, 0.587, 0.114)


def is_grey(rgb: Tensor) -> bool:
    """Whether the channels of (B, 3, H, W) are equal; a picture in colour is known by its first rows."""
    return all(
        torch.equal(part[:, :1].expand_as(part), part)
        for part in (strip.place(rgb) for strip in strips(rgb.shape[-2], rgb.shape[-1]))
    )


def luma_limited(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] → (B, 1, H, W) in 16..235: the Y of MATLAB's `rgb2ycbcr`, in 8-bit units.

    `65.481 R + 128.553 G + 24.966 B + 16`, not rounded.
    """
    return _weighted_sum(rgb, 65.481, 128.553, 24.966) + 16.0


def rgb_to_ycbcr(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) RGB → YCbCr, full-range BT.601 as in JPEG, all in [0, 1], chroma centred on 0.5."""
    y = luma(rgb)
    blue = (rgb[:, 2:] - y) / 1.772 + 0.5
    red = (rgb[:, :1] - y) / 1.402 + 0.5
    return torch.cat((y, blue, red), dim=1)


def ycbcr_to_rgb(ycbcr: Tensor) -> Tensor:
    """The inverse of `rgb_to_ycbcr`; not clipped: some YCbCr triples lie outside the RGB cube."""
    y, blue, red = ycbcr.split(1, dim=1)
    r = y + 1.402 * (red - 0.5)
    b = y + 1.772 * (blue - 0.5)
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return torch.cat((r, g, b), dim=1)


def _weighted_sum(rgb: Tensor, red: float, green: float, blue: float) -> Tensor:
    return red * rgb[:, 0:1] + green * rgb[:, 1:2] + blue * rgb[:, 2:3]
