"""A table's metrics at a table's size: those that need larger pictures see enlarged ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.imaging.quantize import quantize
from lumiface.metrics.landmarks import TargetFaces

LARGE_SIZE = 256
"""Pixels per side to which smaller pictures are enlarged (bicubic) for `ENLARGED`."""

ENLARGED = ("identity_edgeface", "niqe")
"""Metrics of networks or blocks of that scale; smaller pictures are enlarged for them."""


_IDENTITY = "identity_edgeface"


@dataclass(frozen=True, slots=True, eq=False)
class FoundFaces:
    """Faces of the targets at their own size and at `LARGE_SIZE`; None where no metric needs them."""

    small: TargetFaces | None = None
    large: TargetFaces | None = None


class SizedSuite:
    """`MetricSuite` of a table, which enlarges pictures below `LARGE_SIZE` for some metrics.

    Args:
        device: on which they are measured.
        metrics: of the table.
        with_reference: each picture has a ground truth.

    Attributes:
        notes: one line for each metric that cannot be measured, with what to download.
    """

    def __init__(self, device: torch.device, metrics: Sequence[str], *, with_reference: bool) -> None:
        own = [name for name in metrics if name not in ENLARGED]
        large = [name for name in metrics if name in ENLARGED]
        self._own = MetricSuite(device, with_reference=with_reference, only=own)
        self._large = MetricSuite(device, with_reference=with_reference, only=large)
        self.notes = self._own.notes + self._large.notes

    def find_faces(self, targets: Tensor) -> FoundFaces:
        """The largest face of each target (B, 3, H, W), at the sizes at which metrics need it."""
        small = self._own.find_faces(targets) if "landmark_px" in self._own.names else None
        large = self._large.find_faces(_enlarge(targets)) if _IDENTITY in self._large.names else None
        return FoundFaces(small, large)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """What the metrics of sets compare; see `MetricSuite.features`."""
        return self._own.features(images)

    @torch.inference_mode()
    def measure(
        self, outputs: Tensor, targets: Tensor | None, faces: FoundFaces | None
    ) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Metric -> (B,), and the counts of faces that were not found; see `MetricSuite.measure`."""
        faces = FoundFaces() if faces is None else faces
        own = self._own.measure(outputs, targets, faces.small or _no_faces(targets))
        if not self._large.names:
            return own.scores, own.sums
        enlarged = None if targets is None else _enlarge(targets)
        large = self._large.measure(_enlarge(outputs), enlarged, faces.large or _no_faces(enlarged))
        return own.scores | large.scores, own.sums


def _no_faces(targets: Tensor | None) -> TargetFaces | None:
    """For metrics that look at no face: none is searched for."""
    if targets is None:
        return None
    index = torch.zeros(0, dtype=torch.long, device=targets.device)
    return TargetFaces(targets.shape, index, targets.new_zeros(0, 4), targets.new_zeros(0, 5, 2))


def _enlarge(pictures: Tensor) -> Tensor:
    height, width = pictures.shape[-2:]
    if min(height, width) >= LARGE_SIZE:
        return pictures
    factor = LARGE_SIZE / min(height, width)
    size = (round(height * factor), round(width * factor))
    return quantize(F.interpolate(pictures, size=size, mode="bicubic", antialias=True).clamp(0.0, 1.0))
