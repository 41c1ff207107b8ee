"""Bootstrap confidence intervals of means."""

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
    count = len(values)
    if count == 0 or not np.isfinite(values).all():
        return None
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // count)
    means = [
        values[rng.integers(count, size=(min(rows, RESAMPLES - done), count))].mean(axis=1)
        for done in range(0, RESAMPLES, rows)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)
