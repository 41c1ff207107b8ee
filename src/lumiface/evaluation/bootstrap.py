"""Bootstrap intervals of means, for what the rows of a report do not bring along themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
_SEED = 0
_BLOCK = 2_000_000  # picks held in memory at once

Values = npt.NDArray[np.float64]


def mean_interval(values: Values) -> tuple[float, float]:
    """95 % interval of the mean of `values` (N,), N ≥ 1, over the choice of pictures.

    From 2000 seeded resamples; with one value alone the interval is that value.
    """
    rng = np.random.default_rng(_SEED)
    count = len(values)
    step = max(1, _BLOCK // count)
    means = [
        values[rng.integers(count, size=(min(step, RESAMPLES - done), count))].mean(axis=1)
        for done in range(0, RESAMPLES, step)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def scores(of_method: Mapping[str, Any] | None, key: str) -> Values | None:
    """A method's scores picture by picture, (N,); NaN where one is missing; None where there are none."""
    given: Sequence[Any] | None = (of_method or {}).get(key)
    if not given:
        return None
    return np.array([np.nan if value is None else float(value) for value in given])


def paired_interval(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None, key: str
) -> tuple[float, float] | None:
    """95 % interval of the mean difference `one` − `other`, picture by picture.

    Over the pictures for which both have a finite score; None where there are none, or where the two were not
    measured on the same pictures.
    """
    first, second = scores(one, key), scores(other, key)
    if one is None or other is None or first is None or second is None:
        return None
    if one.get("names") != other.get("names") or len(first) != len(second):
        return None
    difference = first - second
    known = np.isfinite(difference)
    return mean_interval(difference[known]) if known.any() else None


def bootstrap_interval(scores: np.ndarray, seed: int) -> tuple[float, float] | None:
    """95 % interval of the mean of `scores` (N,), from 2000 resamples; None where a score is infinite."""
    if not np.isfinite(scores).all():
        return None
    rng = np.random.default_rng(seed)
    means = [scores[rng.integers(len(scores), size=len(scores))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
