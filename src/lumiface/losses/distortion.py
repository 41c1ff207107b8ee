"""What keeps a rendered volume in one piece: light should be stopped at one place of a ray."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def distortion_loss(weights: Tensor, edges: Tensor) -> Tensor:
    r""":math:`\sum_{ij} w_i w_j |m_i - m_j| + \frac13 \sum_i w_i^2 (s_{i+1} - s_i)`, the mean over rays.

    0 where all that is seen of a ray lies at one point.

    Args:
        weights: w, (..., n), what is seen of each stretch of a ray.
        edges: s, (..., n + 1), increasing; m are the stretches' middles.

    Raises:
        ValueError: the shapes do not belong together.

    Source:
        Barron et al. 2022, "Mip-NeRF 360", equation 15.
    """
    if edges.shape != (*weights.shape[:-1], weights.shape[-1] + 1):
        raise ValueError(f"weights {tuple(weights.shape)} need one edge more, not {tuple(edges.shape)}")
    middles = (edges[..., 1:] + edges[..., :-1]) / 2.0
    # Sorted middles: the double sum over pairs is a running one, linear in n.
    before = torch.cumsum(weights, dim=-1) - weights
    moment = torch.cumsum(weights * middles, dim=-1) - weights * middles
    between = 2.0 * (weights * (middles * before - moment)).sum(dim=-1)
    within = (weights.square() * (edges[..., 1:] - edges[..., :-1])).sum(dim=-1) / 3.0
    return (between + within).mean()


class DistortionLoss(nn.Module):
    """`distortion_loss` as a module."""

    def forward(self, weights: Tensor, edges: Tensor) -> Tensor:
        return distortion_loss(weights, edges)
