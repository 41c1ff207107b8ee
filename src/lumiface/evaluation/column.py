"""Scores picture by picture, and what is told of them: means, intervals, differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from lumiface.evaluation.bootstrap import mean_interval

Told = Callable[[int, int], None]
"""Pictures done, pictures in all."""


@dataclass(slots=True)
class Column:
    """One variant's scores, picture by picture: name -> (N,), NaN where one cannot be measured."""

    scores: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, found: Mapping[str, Tensor]) -> None:
        for name, values in found.items():
            self.scores.setdefault(name, []).extend(values.double().tolist())

    def as_dict(self, other: Column | None = None) -> dict[str, Any]:
        """Means with 95 % intervals; against `other`, the mean differences picture by picture with theirs."""
        told: dict[str, Any] = {}
        for name, values in self.scores.items():
            ours = np.array(values)
            known = np.isfinite(ours)
            told |= {name: float(ours[known].mean()), f"{name}_ci": list(mean_interval(ours[known]))}
            told[f"{name}_images"] = int(known.sum())
            if other is not None and len(other.scores.get(name, [])) == len(ours):
                difference = ours - np.array(other.scores[name])
                difference = difference[np.isfinite(difference)]
                told[f"{name}_minus_first"] = float(difference.mean())
                told[f"{name}_minus_first_ci"] = list(mean_interval(difference))
        return told
