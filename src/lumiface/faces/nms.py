"""Greedy non-maximum suppression for many groups of boxes at once, in plain tensor operations."""

from __future__ import annotations

import torch
from torch import Tensor

_MOST = 2048  # boxes per group that are compared; weaker ones are dropped
_PAIRS = 1 << 23  # pairs of boxes held in memory at once


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, *, overlap: float) -> Tensor:
    """Indices of the boxes that stay, by group and in each group by falling score.

    `boxes` (N, 4) x1, y1, x2, y2; `scores` (N,); `groups` (N,) int64: boxes of different groups never
    suppress each other. A box goes when a better one that stays covers more than `overlap` of the two
    boxes' union. At most 2,048 boxes of a group are considered.
    """
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    order = scores.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    _, counts = torch.unique_consecutive(groups[order], return_counts=True)
    ends = counts.cumsum(0)
    starts = ends - counts
    by_size = counts.argsort(stable=True)  # groups of like size share a padded batch
    kept: list[Tensor] = []
    first, sizes = 0, counts[by_size].clamp(max=_MOST).tolist()
    while first < len(sizes):
        last = first + 1
        while last < len(sizes) and (last + 1 - first) * sizes[last] ** 2 <= _PAIRS:
            last += 1
        chosen = by_size[first:last]
        slot = torch.arange(sizes[last - 1], device=boxes.device)
        real = slot < counts[chosen, None]  # (G, M)
        position = (starts[chosen, None] + slot).clamp(max=len(order) - 1)
        stays = real & _survivors(boxes[order[position]], real, overlap)
        kept.append(position[stays])
        first = last
    return order[torch.cat(kept).sort().values]


def _survivors(boxes: Tensor, real: Tensor, overlap: float) -> Tensor:
    """Padded groups (G, M, 4), best first -> (G, M) bool."""
    area = (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)
    corner = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    opposite = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    shared = (opposite - corner).clamp(min=0).prod(-1)  # (G, M, M)
    whole = area[:, :, None] + area[:, None, :] - shared
    beats = (shared > overlap * whole).triu(1) & real[:, :, None]  # [g, i, j]: i is better and covers j
    # Greedy order as a fixed point: a box stays unless one that stays beats it. Each round settles at least
    # one more box from the top, so it ends; in practice within a few rounds.
    stays = real
    while True:
        settled = real & ~(beats & stays[:, :, None]).any(1)
        if torch.equal(settled, stays):
            return stays
        stays = settled
