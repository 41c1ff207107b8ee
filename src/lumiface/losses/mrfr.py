"""Multi-resolution frequency reconstruction: distance of spectra of a network's features at every scale.

Paper: blind face restoration by feature fusion and embedding optimisation, section 1.3, equation 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lumiface.core.shapes import require_same_features
from lumiface.losses.fft import mean_modulus

MapCount = Literal["scale", "cumulative"]


def mrfr_loss(output: Sequence[Tensor], target: Sequence[Tensor], maps: MapCount = "cumulative") -> Tensor:
    r""":math:`L_{MRFR} = \sum_j \frac{1}{t_j} |F(\hat D_j) - F(D_j)|_1`, over scales j.

    Args:
        output, target: the features of two images, scale by scale, (B, C_j, H_j, W_j), in their order.
        maps: what t_j counts. "cumulative": the maps of all scales up to j (the paper's words); "scale":
            those of scale j alone.

    Returns:
        Scalar: for each scale the sum over its maps of the mean modulus over frequencies, over t_j; summed.

    Raises:
        ValueError: there are no scales, or their shapes differ.
    """
    require_same_features(output, target)
    # NOTE(paper): the norm is also averaged over frequencies, with an orthonormal transform; otherwise large
    # scales would dominate by their number of pixels.
    total, so_far = list[Tensor](), 0
    for one, other in zip(output, target, strict=True):
        so_far += one.shape[1]
        weight = one.shape[1] / so_far if maps == "cumulative" else 1.0
        total.append(weight * mean_modulus(one - other))
    return torch.stack(total).sum()


class MRFRLoss(nn.Module):
    """`mrfr_loss` as a module."""

    def __init__(self, maps: MapCount = "cumulative") -> None:
        super().__init__()
        self.maps: MapCount = maps

    def forward(self, output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
        return mrfr_loss(output, target, self.maps)
