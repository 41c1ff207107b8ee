"""Pictures measured batch by batch, and what has been found of them so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.data.benchmarks.llf import pixel_sha256
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.evaluation.pairing import PicturePair
from lumiface.imaging.quantize import from_uint8

_MOST_PIXELS = 4_000_000  # of one batch: NIQE and LPIPS need some hundred bytes for each

Features = dict[str, list[Tensor]]
"""Metric -> what it compares of a set, batch by batch."""


@dataclass(slots=True)
class Gathered:
    """What has been measured so far.

    Attributes:
        names, hashes: of each picture; the hashes of its own and its reference's pixels.
        parts: measure -> its numbers, batch by batch.
        ours, theirs: the features of results, and of the set to which they are compared.
    """

    names: list[str] = field(default_factory=list[str])
    hashes: list[str] = field(default_factory=list[str])
    parts: dict[str, list[Tensor]] = field(default_factory=dict[str, list[Tensor]])
    ours: Features = field(default_factory=dict[str, list[Tensor]])
    theirs: Features = field(default_factory=dict[str, list[Tensor]])

    def add(self, chunk: Sequence[PicturePair], instruments: MetricSuite, *, pairs_are_sets: bool) -> None:
        """Score pictures of one size; the references are the other set, too, if `pairs_are_sets`."""
        outputs = _stacked([picture.output for picture in chunk], instruments.device)
        given = [picture.target for picture in chunk if picture.target is not None]
        targets = _stacked(given, instruments.device) if given else None
        for name, numbers in instruments.measure(outputs, targets).items():
            self.parts.setdefault(name, []).append(numbers)
        _append(self.ours, instruments.features(outputs))
        if targets is not None and pairs_are_sets:
            _append(self.theirs, instruments.features(targets))
        for picture in chunk:
            self.names.append(picture.name)
            digests = [pixel_sha256(side) for side in (picture.output, picture.target) if side is not None]
            self.hashes.append(" ".join([picture.name, *digests]))

    def compare_with(self, chunk: Sequence[PicturePair], instruments: MetricSuite) -> None:
        """Add pictures of one size to the other set."""
        pictures = _stacked([picture.output for picture in chunk], instruments.device)
        _append(self.theirs, instruments.features(pictures))


def batches(pictures: Iterator[PicturePair], batch: int) -> Iterator[list[PicturePair]]:
    """Up to `batch` pictures of one size at a time, fewer of large ones, in order."""
    chunk: list[PicturePair] = []
    for picture in pictures:
        height, width = picture.output.shape[:2]
        most = max(1, min(batch, _MOST_PIXELS // (height * width)))
        if chunk and (len(chunk) >= most or picture.output.shape != chunk[0].output.shape):
            yield chunk
            chunk = []
        chunk.append(picture)
    if chunk:
        yield chunk


def _append(features: Features, found: dict[str, Tensor]) -> None:
    for name, part in found.items():
        features.setdefault(name, []).append(part)


def _stacked(pictures: Sequence[npt.NDArray[np.uint8]], device: torch.device) -> Tensor:
    return torch.cat([from_uint8(picture) for picture in pictures]).to(device)
