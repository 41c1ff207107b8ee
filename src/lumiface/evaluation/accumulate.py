"""The scores of one method over a set of images: added batch by batch, summarised as means and intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lumiface.evaluation.bootstrap import Interval, Values, bootstrap_interval
from lumiface.metrics.frechet import frechet_distance


@dataclass(frozen=True, slots=True)
class Score:
    """One score of a set of images.

    Attributes:
        value: mean over the images, or distance of the sets; None where it is not finite (a PSNR of equal
            images is infinite) or nothing could be measured.
        interval: 95 % interval of the mean over the choice of images (bootstrap); None for sets.
        images: number of images behind it.
    """

    value: float | None
    interval: Interval | None
    images: int


@dataclass(slots=True)
class ScoreAccumulator:
    """Scores per image of one method, from which means, intervals and differences are computed.

    Attributes:
        scores: metric -> one score per image, in the order of measuring; NaN where it cannot be measured.
        names: of the images, where the caller gives them.
        sums: counts and times that are only added up: images without a face, seconds.
        features: metric of sets -> its features, (B, D) per batch.
        seed: of the bootstrap.
    """

    scores: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    names: list[str] = field(default_factory=list[str])
    sums: dict[str, float] = field(default_factory=dict[str, float])
    features: dict[str, list[Tensor]] = field(default_factory=dict[str, list[Tensor]])
    seed: int = 0

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any] | None, seed: int = 0) -> ScoreAccumulator:
        """From what `as_lists` gave: `names`, and metric -> one score per image, None where there is none."""
        scores = {
            metric: [math.nan if value is None else float(value) for value in values]
            for metric, values in (lists or {}).items()
            if metric != "names" and values
        }
        return cls(scores, list((lists or {}).get("names") or []), seed=seed)

    def subset(self, chosen: Values) -> ScoreAccumulator:
        """The scores of some images: (N,) of truth values. Without what compares sets or is only added up."""
        places = np.flatnonzero(chosen)
        scores = {metric: [values[place] for place in places] for metric, values in self.scores.items()}
        names = [self.names[place] for place in places] if self.names else []
        return ScoreAccumulator(scores, names, seed=self.seed)

    def add(
        self,
        scores: Mapping[str, Tensor],
        names: Sequence[str] = (),
        sums: Mapping[str, float] | None = None,
    ) -> None:
        """Add one batch: metric -> (B,); the names of its images; amounts that are added to `sums`."""
        for metric, values in scores.items():
            self.scores.setdefault(metric, []).extend(values.double().tolist())
        self.names += names
        for name, amount in (sums or {}).items():
            self.sums[name] = self.sums.get(name, 0) + amount

    def add_features(self, features: Mapping[str, Tensor]) -> None:
        """Add what metrics of sets compare, of one batch: metric -> (B, D)."""
        for metric, values in features.items():
            self.features.setdefault(metric, []).append(values)

    def values(self, metric: str) -> Values:
        """(N,), NaN where the metric could not be measured; empty where it never was."""
        return np.array(self.scores.get(metric, []), np.float64)

    def score(self, metric: str) -> Score:
        """Mean and interval over the images for which the metric could be measured."""
        values = self.values(metric)
        return self._summarise(values[~np.isnan(values)])

    def difference(self, metric: str, first: ScoreAccumulator) -> Score | None:
        """Mean of this score minus `first`'s, image by image, over the images for which both are finite.

        None where the two were not measured on the same images, or no image has both scores.
        """
        own, other = self.values(metric), first.values(metric)
        if len(own) != len(other) or self.names != first.names:
            return None
        difference = own - other
        difference = difference[np.isfinite(difference)]
        return self._summarise(difference) if len(difference) else None

    def set_distance(self, metric: str, reference: ScoreAccumulator) -> Score:
        """Fréchet distance of these features to those of the reference set; not of sets of a single image."""
        own, other = self.features.get(metric, []), reference.features.get(metric, [])
        count = sum(len(part) for part in own)
        if min(count, sum(len(part) for part in other)) < 2:
            return Score(None, None, 0)
        return Score(frechet_distance(torch.cat(own), torch.cat(other)).item(), None, count)

    def as_dict(self, first: ScoreAccumulator | None = None) -> dict[str, Any]:
        """A row of plain values: METRIC, METRIC_ci, METRIC_images; with `first`, also METRIC_minus_first and
        METRIC_minus_first_ci."""
        row: dict[str, Any] = {}
        for metric in self.scores:
            score = self.score(metric)
            row |= {metric: score.value, f"{metric}_ci": _as_list(score.interval)}
            row[f"{metric}_images"] = score.images
            difference = None if first is None else self.difference(metric, first)
            if difference is not None:
                row[f"{metric}_minus_first"] = difference.value
                row[f"{metric}_minus_first_ci"] = _as_list(difference.interval)
        return row

    def as_lists(self) -> dict[str, list[float | None]]:
        """Metric -> one score per image; None where it is not finite, for JSON has no such numbers."""
        return {
            metric: [value if math.isfinite(value) else None for value in values]
            for metric, values in self.scores.items()
        }

    def _summarise(self, values: Values) -> Score:
        mean = float(values.mean()) if len(values) else math.nan
        interval = bootstrap_interval(values, seed=self.seed)
        return Score(mean if math.isfinite(mean) else None, interval, len(values))


def _as_list(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
