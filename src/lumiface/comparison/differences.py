"""The difference of two rows of a table, over pictures or over seeds and pictures."""

from __future__ import annotations

from typing import Any

from lumiface.comparison.scores import Measured
from lumiface.comparison.seeds import decide, seeded_difference
from lumiface.evaluation.bootstrap import Interval, Values


def difference_of(
    scores: list[Measured], first: list[Measured], metric: str, seed: int
) -> dict[str, Any] | None:
    """One row minus another, its interval, and what the interval says where there are seeds.

    Over pictures alone if both have one seed, over seeds and pictures if both have several; if only one of
    them has several, the difference of the means without an interval.
    """
    if len(scores) == len(first) == 1:
        of_pictures = scores[0].accumulator(seed).difference(metric, first[0].accumulator(seed))
        return None if of_pictures is None else _entry(of_pictures.value, of_pictures.interval, "one seed")
    difference = seeded_difference(values_of(scores, metric), values_of(first, metric))
    if difference is None:
        return None
    decided = "one seed" if min(len(scores), len(first)) == 1 else decide(difference)
    return _entry(difference.value, difference.interval, decided)


def _entry(difference: float | None, interval: Interval | None, decided: str) -> dict[str, Any]:
    return {"difference": difference, "ci": interval, "decided": decided}


def values_of(scores: list[Measured], metric: str) -> list[Values]:
    return [one.accumulator(0).values(metric) for one in scores]
