"""Noise removed by shrinking the coefficients of overlapping 8 x 8 DCT blocks.

Yaroslavsky, Egiazarian and Astola (2001). The noise is not taken for white: a JPEG file keeps its coarse part
and drops its fine one. So each of the 64 coefficients has its own level, measured in the picture.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import rgb_to_ycbcr, ycbcr_to_rgb

BLOCK = 8
ROUNDING_NOISE = 1.0 / 255.0 / 12.0**0.5
"""Standard deviation of the error of rounding to 8 bits."""

_THRESHOLD = 2.3  # in standard deviations of the noise: below it a coefficient is taken for noise
_LARGEST = 0.06  # upper bound of the noise level
_FLAT = 0.1  # share of the blocks, the flattest, whose content is taken for noise
_FLAT_BIAS = 1.25  # by which the noise exceeds that of the blocks in which it happens to be least
_BLACK = 0.02  # up to this brightness noise is cut off, and says little about that of the rest
_LARGEST_RATIO = 2.5  # of the noise at one brightness to that of all
_FEWEST = 40  # blocks from which a level is measured


def shrink_noise(rgb: Tensor, edges: list[float], step: int) -> Tensor | None:
    """The picture without noise; None if it has none beyond the rounding to 8 bits.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        edges: of the bins of brightness, rising from 0: the noise of each is measured on its own. Nothing
            is done to blocks above the last.
        step: distance between the overlapping blocks, pixels, a divisor of 8: the less, the smoother.

    Returns:
        (1, 3, H, W), not clipped.
    """
    height, width = rgb.shape[-2:]
    margin = BLOCK - step
    padded = F.pad(
        rgb_to_ycbcr(rgb),
        (margin, -width % BLOCK + margin, margin, -height % BLOCK + margin),
        mode="replicate",
    )
    planes = padded[0, :, None]  # the channels as a batch: (3, 1, H', W')
    basis = _basis(rgb)
    levels = _noise_levels(planes, basis, edges)
    if float(levels.square().mean(dim=2).max()) < (1.5 * ROUNDING_NOISE) ** 2:
        return None
    total, weights = torch.zeros_like(planes), torch.zeros_like(planes)
    for top in range(0, BLOCK, step):
        for left in range(0, BLOCK, step):
            area = planes[..., top:, left:]
            area = area[..., : area.shape[-2] // BLOCK * BLOCK, : area.shape[-1] // BLOCK * BLOCK]
            shrunk, weight = _shrink(F.conv2d(area, basis, stride=BLOCK), levels, edges)
            window = (..., slice(top, top + area.shape[-2]), slice(left, left + area.shape[-1]))
            total[window] += F.conv_transpose2d(shrunk * weight, basis, stride=BLOCK)
            weights[window] += weight.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    quiet = (total / weights.clamp(min=1e-6))[..., margin : margin + height, margin : margin + width]
    return ycbcr_to_rgb(quiet[:, 0][None])


def _shrink(coefficients: Tensor, levels: Tensor, edges: list[float]) -> tuple[Tensor, Tensor]:
    """Coefficients (3, 64, h, w) without those below the threshold, and the weight (3, 1, h, w) of each
    block: the fewer coefficients are left, the less noise is."""
    light = coefficients[:1, 0] / BLOCK  # (1, h, w): mean luma of the block
    bin_index = torch.bucketize(light[0].contiguous(), light.new_tensor(edges[1:-1]))
    threshold = _THRESHOLD * levels[:, bin_index].permute(0, 3, 1, 2)  # (3, 64, h, w)
    keep = (coefficients.abs() >= threshold) | (light[:, None] >= edges[-1])
    keep[:, 0] = True
    return coefficients * keep, 1.0 / keep.sum(dim=1, keepdim=True)


def _noise_levels(planes: Tensor, basis: Tensor, edges: list[float]) -> Tensor:
    """(3, bins, 64): standard deviation of the noise in each coefficient, at least that of rounding."""
    coefficients = F.conv2d(planes, basis, stride=BLOCK // 2).flatten(2)  # (3, 64, blocks)
    light = coefficients[0, 0] / BLOCK
    everywhere = _level(coefficients[:, :, (light >= _BLACK) & (light < edges[-1])])
    levels: list[Tensor] = []
    for low, high in pairwise(edges):
        members = coefficients[:, :, (light >= low) & (light < high)]
        level = _level(members) if members.shape[2] >= _FEWEST else everywhere
        # Were all blocks of one brightness texture, it would look like noise.
        levels.append(torch.minimum(level, _LARGEST_RATIO * everywhere))
    stacked = torch.stack(levels, dim=1).clamp(ROUNDING_NOISE, _LARGEST)
    stacked[:, :, 0] = ROUNDING_NOISE  # the mean of a block is never shrunk
    # Gradients and edges along an axis look like noise to the coefficients of that axis; noise itself is as
    # strong there as in the mixed ones of the same order.
    along, down = torch.arange(BLOCK)[None, :], torch.arange(BLOCK)[:, None]
    order, mixed = (along + down).flatten(), ((along > 0) & (down > 0)).flatten()
    for k in range(1, BLOCK):
        alike = stacked[:, :, mixed & (order == max(k, 2))]
        axis = ~mixed & (order == k)
        stacked[:, :, axis] = torch.minimum(stacked[:, :, axis], alike.mean(dim=2, keepdim=True))
    return stacked


def _level(coefficients: Tensor) -> Tensor:
    """(3, 64, blocks) -> (3, 64): root mean squares of the flattest blocks."""
    blocks = coefficients.shape[2]
    if blocks < _FEWEST:
        return coefficients.new_full((3, BLOCK * BLOCK), ROUNDING_NOISE)
    order = coefficients[:, 1:].square().sum(dim=(0, 1)).argsort()
    flat = coefficients[:, :, order[: round(_FLAT * blocks)]]
    return _FLAT_BIAS * flat.square().mean(dim=2).sqrt()


def _basis(like: Tensor) -> Tensor:
    """(64, 1, 8, 8): the orthonormal DCT-II of a block, as the kernels of a convolution."""
    k = torch.arange(BLOCK, dtype=torch.float64)
    rows = torch.cos(math.pi / BLOCK * (k[None, :] + 0.5) * k[:, None]) * math.sqrt(2.0 / BLOCK)
    rows[0] /= math.sqrt(2.0)
    return torch.einsum("iy,jx->ijyx", rows, rows).reshape(64, 1, BLOCK, BLOCK).to(like)
