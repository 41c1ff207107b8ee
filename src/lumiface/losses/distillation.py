"""Distillation losses without ground truth: the student imitates how the teacher's outputs differ.

Two faces p and u pass through both networks. Intra consistency: within each network, the two outputs differ
at the same positions. Inter consistency: teacher and student differ on u as they do on p. Both are computed
on the features of a pretrained network. The teacher gets no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings


class IntraReading(Settings):
    """How equation 11 is read; the defaults are its letters."""

    over: Literal["positions", "channels"] = Field(
        default="positions",
        description="the softmax is over positions, each a distance of C values, or over channels, each a "
        "distance of h·w values",
    )
    temperature: float = Field(default=1.0, gt=0, description="divides the distances before the softmax")
    reduction: Literal["mean", "sum"] = Field(
        default="mean", description="1/hw of the paper, or the sum, a cross-entropy"
    )


def intra_consistency_loss(
    student_p: Sequence[Tensor],
    student_u: Sequence[Tensor],
    teacher_p: Sequence[Tensor],
    teacher_u: Sequence[Tensor],
    reading: IntraReading = IntraReading(),  # noqa: B008 immutable
) -> Tensor:
    r"""Cross-entropy of where p and u differ, :math:`-\frac{1}{hw} \sum_{mn} S(d_t)[m,n] \log S(d_s)[m,n]`.

    d is the map of cosine distances between a network's features of p and of u, S the softmax over its
    positions. The mean over the batch, summed over layers. Its minimum is the teacher's entropy, not 0.

    NOTE(paper): by its letters the loss is inert. Distances lie in [0, 2], so the softmax over thousands of
    positions is nearly even, and 1/hw divides once more: its gradient is 5e-6 of L1's. `reading` has what
    acts: a temperature, the sum, channels.

    Args:
        student_p, student_u, teacher_p, teacher_u: features (B, C, h, w), layer by layer.
        reading: of the equation.

    Raises:
        ValueError: the shapes of the four feature lists differ.

    Source:
        Semi-supervised low-light face enhancement, §3.3.2, equations 10 and 11.
    """
    _require_same_shapes(student_p, student_u, teacher_p, teacher_u)
    total = student_p[0].new_zeros(())
    for s_p, s_u, t_p, t_u in zip(student_p, student_u, teacher_p, teacher_u, strict=True):
        with torch.no_grad():
            teacher = (_distance(t_p, t_u, reading.over) / reading.temperature).softmax(dim=1)
        student = (_distance(s_p, s_u, reading.over) / reading.temperature).log_softmax(dim=1)
        entropy = (teacher * student).sum(dim=1).mean()
        total = total - (entropy / student.shape[1] if reading.reduction == "mean" else entropy)
    return total


def inter_consistency_loss(
    student_p: Sequence[Tensor],
    student_u: Sequence[Tensor],
    teacher_p: Sequence[Tensor],
    teacher_u: Sequence[Tensor],
) -> Tensor:
    r"""Difference of the teacher-student differences, :math:`||\Delta_u - \Delta_p||_F` with
    :math:`\Delta = Gram(\Phi(I^t) - \Phi(I^s))`.

    The mean over the batch, summed over layers.

    Args:
        student_p, student_u, teacher_p, teacher_u: features (B, C, h, w), layer by layer.

    Raises:
        ValueError: the shapes of the four feature lists differ.

    Source:
        Semi-supervised low-light face enhancement, §3.3.2, equations 12 and 13.
    """
    _require_same_shapes(student_p, student_u, teacher_p, teacher_u)
    total = student_p[0].new_zeros(())
    for s_p, s_u, t_p, t_u in zip(student_p, student_u, teacher_p, teacher_u, strict=True):
        difference = gram(t_u.detach() - s_u) - gram(t_p.detach() - s_p)
        # The Frobenius norm has no gradient at 0, where training starts: teacher and student are then equal.
        total = total + (difference.square().sum(dim=(1, 2)) + 1e-12).sqrt().mean()
    return total


def gram(features: Tensor) -> Tensor:
    """Gram matrix (B, C, h, w) -> (B, C, C), divided by the number of positions and channels.

    NOTE(paper): the scale is left open; this one makes the loss independent of the image's size.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


class IntraConsistencyLoss(nn.Module):
    """`intra_consistency_loss` as a module."""

    def __init__(self, reading: IntraReading = IntraReading()) -> None:  # noqa: B008 immutable
        super().__init__()
        self.reading = reading

    def forward(
        self,
        student_p: Sequence[Tensor],
        student_u: Sequence[Tensor],
        teacher_p: Sequence[Tensor],
        teacher_u: Sequence[Tensor],
    ) -> Tensor:
        return intra_consistency_loss(student_p, student_u, teacher_p, teacher_u, self.reading)


class InterConsistencyLoss(nn.Module):
    """`inter_consistency_loss` as a module."""

    def forward(
        self,
        student_p: Sequence[Tensor],
        student_u: Sequence[Tensor],
        teacher_p: Sequence[Tensor],
        teacher_u: Sequence[Tensor],
    ) -> Tensor:
        return inter_consistency_loss(student_p, student_u, teacher_p, teacher_u)


def _distance(one: Tensor, other: Tensor, over: str) -> Tensor:
    """Cosine distances of (B, C, h, w) at each position, (B, h·w), or of each channel, (B, C)."""
    one, other = one.flatten(2), other.flatten(2)
    return 1.0 - F.cosine_similarity(one, other, dim=1 if over == "positions" else 2, eps=1e-6)


def _require_same_shapes(*features: Sequence[Tensor]) -> None:
    shapes = {tuple(tuple(layer.shape) for layer in layers) for layers in features}
    if len(shapes) != 1:
        raise ValueError(f"features of the four images must have the same shapes, not {sorted(shapes)}")
