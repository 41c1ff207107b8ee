"""Bootstrap confidence intervals of means, and of the gap between the means of groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000

_BLOCK = 2_000_000  # indices held in memory at once

Values = npt.NDArray[np.float64]
Interval = tuple[float, float]


def bootstrap_interval(values: Values | Sequence[float], *, seed: int) -> Interval | None:
    """95 % interval of the mean of `values` (N,) over the choice of images: percentiles of 2000 resamples.

    With a single value the interval is that value. None where there is no value, or one is not finite.

    Args:
        values: one score per image.
        seed: of the resampling; equal values and seeds give equal intervals.
    """
    values = np.asarray(values, np.float64)
    if len(values) == 0 or not np.isfinite(values).all():
        return None
    return _percentiles(_resampled_means(values, np.random.default_rng(seed)))


def bootstrap_gap(groups: Sequence[Values | Sequence[float]], *, seed: int) -> Interval:
    """95 % interval of the difference between the largest and the smallest mean of several groups.

    Each group is resampled by itself. The difference is never negative, so the interval of groups that do not
    differ lies above 0, too: it tells how large the gap may be, not whether there is one.

    Args:
        groups: one score per image, of each group; finite, at least one.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    means = np.stack([_resampled_means(np.asarray(values, np.float64), rng) for values in groups])
    return _percentiles(means.max(axis=0) - means.min(axis=0))


def _resampled_means(values: Values, rng: np.random.Generator) -> Values:
    count = len(values)
    rows = max(1, _BLOCK // count)
    return np.concatenate(
        [
            values[rng.integers(count, size=(min(rows, RESAMPLES - done), count))].mean(axis=1)
            for done in range(0, RESAMPLES, rows)
        ]
    )


def _percentiles(means: Values) -> Interval:
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
