"""Decisions by rule: minutes, batch sizes, intervals."""

from __future__ import annotations

import pytest

from gpu.schedule import (
    GAP,
    Probe,
    affordable,
    choose_batch,
    next_slot,
    scaled_lr,
    state_interval,
    training_minutes,
    validation_interval,
)


def test_runs_get_their_shares_of_what_is_left() -> None:
    assert next_slot(600 + 2 * GAP, [3, 2, 1], [0, 0, 0]) == pytest.approx(300)
    assert next_slot(120, [5], [60]) == 120
    assert next_slot(-1, [1, 1], [60, 60]) == 0


def test_every_run_gets_its_minimum_if_there_is_time() -> None:
    assert next_slot(600 + GAP, [9, 1], [180, 240]) == pytest.approx(180 + 0.9 * 180)
    assert next_slot(360 + GAP, [1, 9], [180, 180]) == pytest.approx(180)
    assert next_slot(180 + GAP, [1, 9], [180, 360]) == pytest.approx(60)  # shortened alike


def test_all_slots_together_fill_the_time() -> None:
    left, shares, used = 700.0, [25.0, 12.0, 9.0], 0.0
    for number in range(3):
        slot = next_slot(left, shares[number:], [180.0, 120.0, 60.0][number:])
        used += slot + (GAP if number else 0)
        left -= slot + GAP
    assert used == pytest.approx(700.0)


def test_the_minutes_of_a_run_that_failed_go_to_the_others() -> None:
    early = 10.0  # it crashed after so many seconds of its slot of 300
    assert next_slot(600 - early, [1], [60]) == 590


def test_runs_below_their_minimum_are_not_started() -> None:
    assert affordable(700, [300, 180, 180]) == 3
    assert affordable(500, [300, 180, 180]) == 2
    assert affordable(100, [300, 180]) == 1  # the first always


def test_a_schedule_ends_early_enough_for_validation_and_files() -> None:
    assert 60 * training_minutes(300, 4.0) == pytest.approx(300 - 3 - 6)
    assert training_minutes(1, 30.0) > 0


def test_the_fastest_batch_that_fits_is_chosen() -> None:
    small, large, huge = Probe(64, 800, 12.5, 20), Probe(128, 950, 7.4, 40), Probe(256, 990, 3.9, 79)
    assert choose_batch([small, large, huge], 141) == huge
    assert choose_batch([small, large, huge], 80) == large
    nearly = Probe(64, 940, 14.7, 20)
    assert choose_batch([nearly, large], 80) == nearly  # twice the steps at the same speed
    with pytest.raises(ValueError, match="no batch size fits"):
        choose_batch([huge], 40)


def test_the_learning_rate_grows_with_the_root_of_the_batch() -> None:
    assert scaled_lr(1e-3, 256, 64) == pytest.approx(2e-3)
    assert scaled_lr(1e-3, 64, 64) == 1e-3


def test_validation_takes_a_small_part_of_the_run() -> None:
    assert validation_interval(300, 10, 0.5) == 300  # ten times
    every = validation_interval(300, 10, 9.0)
    assert 300 * 10 / every * 9.0 <= 0.06 * 300 + 1
    assert validation_interval(5, 0.1, 30.0) == 1 or validation_interval(5, 0.1, 30.0) >= 1
    assert state_interval(10) == 600
