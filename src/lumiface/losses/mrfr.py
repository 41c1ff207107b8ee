"""Multi-resolution frequency reconstruction: distance of spectra of a network's features at every scale.

Paper: blind face restoration by feature fusion and embedding optimisation, section 1.3, equation 8.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lumiface.core.shapes import require_same_features
from lumiface.losses.fft import mean_modulus


def mrfr_loss(output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    r""":math:`L_{MRFR} = \sum_j \frac{1}{t_j} |F(\hat D_j) - F(D_j)|_1`, over scales j of t_j maps each.

    Args:
        output, target: the features of two images, scale by scale, (B, t_j, H_j, W_j).

    Returns:
        Scalar: for each scale the mean modulus over maps and frequencies, summed over the scales.

    Raises:
        ValueError: there are no scales, or their shapes differ.
    """
    require_same_features(output, target)
    # NOTE(paper): the norm is also averaged over frequencies, with an orthonormal transform; otherwise large
    # scales would dominate by their number of pixels.
    return torch.stack([mean_modulus(one - other) for one, other in zip(output, target, strict=True)]).sum()


class MRFRLoss(nn.Module):
    """`mrfr_loss` as a module."""

    def forward(self, output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
        return mrfr_loss(output, target)
