"""Greedy non-maximum suppression for many groups of boxes at once.

On a CPU by OpenCV, group by group; on a GPU in plain tensor operations, all groups together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

_MAX_BOXES = 2048  # boxes per group that are compared; those with lower scores are dropped
_MAX_PAIRS = 1 << 23  # pairs of boxes held in memory at once


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, *, overlap: float) -> Tensor:
    """Indices of the boxes that are kept, by group and in each group by descending score.

    Args:
        boxes: (N, 4), x1, y1, x2, y2.
        scores: (N,).
        groups: (N,) int64; boxes of different groups never suppress each other.
        overlap: a box is suppressed if its intersection over union with a kept, better one is larger. At most
            2,048 boxes of a group are considered.
    """
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    order = scores.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    _, counts = torch.unique_consecutive(groups[order], return_counts=True)
    if boxes.device.type == "cpu":
        return _one_by_one(boxes, order, counts, overlap)
    return _all_together(boxes, order, counts, overlap)


def _all_together(boxes: Tensor, order: Tensor, counts: Tensor, overlap: float) -> Tensor:
    """`order` lists the boxes by group and score, `counts` those of each group."""
    ends = counts.cumsum(0)
    starts = ends - counts
    by_size = counts.argsort(stable=True)  # groups of similar size share a padded batch
    kept: list[Tensor] = []
    first, sizes = 0, counts[by_size].clamp(max=_MAX_BOXES).tolist()
    while first < len(sizes):
        last = first + 1
        while last < len(sizes) and (last + 1 - first) * sizes[last] ** 2 <= _MAX_PAIRS:
            last += 1
        chosen = by_size[first:last]
        slot = torch.arange(sizes[last - 1], device=boxes.device)
        valid = slot < counts[chosen, None]  # (G, M)
        position = (starts[chosen, None] + slot).clamp(max=len(order) - 1)
        keep = valid & _survivors(boxes[order[position]], valid, overlap)
        kept.append(position[keep])
        first = last
    return order[torch.cat(kept).sort().values]


def _one_by_one(boxes: Tensor, order: Tensor, counts: Tensor, overlap: float) -> Tensor:
    import cv2

    corner = boxes[:, :2]
    rectangles = torch.cat([corner, (boxes[:, 2:] - corner).clamp(min=0)], 1).double()
    kept: list[Tensor] = []
    for group in order.split(counts.tolist()):
        members = group[:_MAX_BOXES]
        ranks = range(len(members), 0, -1)  # they are sorted, and the scores need not be positive
        within: list[Any] = rectangles[members].tolist()
        picked = cv2.dnn.NMSBoxes(within, list(map(float, ranks)), 0.0, overlap)
        kept.append(members[torch.from_numpy(np.asarray(picked, dtype=np.int64).reshape(-1))])
    return torch.cat(kept)


def _survivors(boxes: Tensor, valid: Tensor, overlap: float) -> Tensor:
    """Padded groups (G, M, 4), best first -> (G, M) bool."""
    area = (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)
    corner = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    opposite = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    intersection = (opposite - corner).clamp(min=0).prod(-1)  # (G, M, M)
    union = area[:, :, None] + area[:, None, :] - intersection
    suppresses = (intersection > overlap * union).triu(1) & valid[:, :, None]  # [g, i, j]: i suppresses j
    # Greedy suppression as a fixed point: a box is kept unless a kept box suppresses it. Each iteration
    # settles at least one more box from the top, so it terminates; in practice within a few iterations.
    kept = valid
    while True:
        settled = valid & ~(suppresses & kept[:, :, None]).any(1)
        if torch.equal(settled, kept):
            return kept
        kept = settled
