"""Intervals over seeds and pictures, against scipy, against a simulation, and as a table shows them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lumiface.comparison.differences import difference_of
from lumiface.comparison.scores import Measured
from lumiface.comparison.seeds import (
    SeededScore,
    decide,
    seeded_difference,
    seeded_mean,
    student_quantile,
)


@pytest.mark.parametrize("degrees", [1.0, 2.0, 2.7, 4.0, 30.0, 1e4])
def test_students_quantile_is_that_of_scipy(degrees: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_quantile(degrees) == pytest.approx(float(stats.t.ppf(0.975, degrees)), rel=1e-5)


def test_students_quantile_needs_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        student_quantile(0.5)


def test_equal_seeds_leave_the_interval_of_the_pictures() -> None:
    scores = np.random.default_rng(0).normal(20.0, 1.0, 400)
    found = seeded_mean([scores, scores, scores])
    assert found is not None
    assert found.interval is not None
    half = (found.interval[1] - found.interval[0]) / 2
    assert half == pytest.approx(1.96 * scores.std(ddof=1) / math.sqrt(400), rel=0.01)


def test_a_single_seed_has_no_interval_and_cannot_be_told() -> None:
    found = seeded_difference([np.arange(9.0)], [np.zeros(9)])
    assert found == SeededScore(4.0, None)
    assert decide(found) == "cannot be told"


def test_pictures_without_a_score_at_some_seed_are_left_out() -> None:
    found = seeded_mean([np.array([1.0, 2.0, np.nan]), np.array([3.0, 4.0, 5.0])])
    assert found is not None
    assert found.value == 2.5
    assert seeded_mean([np.array([np.nan])]) is None


def test_pictures_alone_would_call_luck_a_difference() -> None:
    """Two methods that differ by the luck of their seeds alone: few intervals may exclude 0."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        faces = rng.normal(0.0, 2.0, 100)
        runs = [faces + rng.normal(0.0, 0.3) + rng.normal(0.0, 0.1, 100) for _ in range(6)]
        wrong += decide(seeded_difference(runs[:3], runs[3:])) != "cannot be told"
    assert wrong <= 0.08 * 300


def test_a_true_difference_is_seen() -> None:
    rng = np.random.default_rng(2)
    faces = rng.normal(0.0, 2.0, 100)
    better = [faces + 1.0 + rng.normal(0.0, 0.05) for _ in range(3)]
    worse = [faces + rng.normal(0.0, 0.05) for _ in range(3)]
    assert decide(seeded_difference(better, worse)) == "higher"
    assert decide(seeded_difference(worse, better)) == "lower"


def measured(*values: float) -> Measured:
    names = [str(number) for number in range(len(values))]
    return Measured({}, {}, names, [], {"psnr_y": list(values)}, ["psnr_y"])


def test_rows_of_one_seed_are_compared_over_pictures() -> None:
    found = difference_of([measured(20.0, 21.0, 22.0)], [measured(19.0, 20.0, 21.0)], "psnr_y", 0)
    assert found == {"difference": pytest.approx(1.0), "ci": pytest.approx((1.0, 1.0)), "decided": "one seed"}


def test_rows_of_several_seeds_are_compared_over_both() -> None:
    many = [measured(20.0, 21.0, 22.0), measured(20.2, 21.2, 22.2)]
    first = [measured(10.0, 11.0, 12.0), measured(10.2, 11.2, 12.2)]
    found = difference_of(many, first, "psnr_y", 0)
    assert found is not None
    assert found["difference"] == pytest.approx(10.0)
    assert found["ci"][0] < 10.0 < found["ci"][1]
    assert found["decided"] == "higher"


def test_a_row_of_one_seed_has_no_interval_beside_several() -> None:
    many = [measured(20.0, 21.0), measured(22.0, 23.0)]
    for scores, first, sign in (many, [measured(10.0, 11.0)], 1.0), ([measured(10.0, 11.0)], many, -1.0):
        found = difference_of(scores, first, "psnr_y", 0)
        assert found == {"difference": pytest.approx(sign * 11.0), "ci": None, "decided": "one seed"}
