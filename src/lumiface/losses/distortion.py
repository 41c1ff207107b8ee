"""Distortion loss of volume rendering: the weights of a ray should be concentrated at one depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def distortion_loss(weights: Tensor, bin_edges: Tensor) -> Tensor:
    r""":math:`\sum_{ij} w_i w_j |m_i - m_j| + \frac13 \sum_i w_i^2 (s_{i+1} - s_i)`, the mean over rays.

    0 where all weight of a ray lies at one point.

    Args:
        weights: w, (..., n), rendering weight of each bin of a ray.
        bin_edges: s, (..., n + 1), increasing; m are the centres of the bins.

    Raises:
        ValueError: the shapes do not match.

    Source:
        Barron et al. 2022, "Mip-NeRF 360", equation 15.
    """
    if bin_edges.shape != (*weights.shape[:-1], weights.shape[-1] + 1):
        raise ValueError(f"weights {tuple(weights.shape)} need one edge more, not {tuple(bin_edges.shape)}")
    centres = (bin_edges[..., 1:] + bin_edges[..., :-1]) / 2.0
    # The centres are sorted, so the double sum is a cumulative one, linear in n.
    before = torch.cumsum(weights, dim=-1) - weights
    moment = torch.cumsum(weights * centres, dim=-1) - weights * centres
    between = 2.0 * (weights * (centres * before - moment)).sum(dim=-1)
    within = (weights.square() * (bin_edges[..., 1:] - bin_edges[..., :-1])).sum(dim=-1) / 3.0
    return (between + within).mean()


class DistortionLoss(nn.Module):
    """`distortion_loss` as a module."""

    def forward(self, weights: Tensor, bin_edges: Tensor) -> Tensor:
        return distortion_loss(weights, bin_edges)
