"""Decisions by rule: minutes of each run, batch size, learning rate, intervals between validations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

RESERVE = 35.0
"""Seconds before the end at which the last run has ended; results are written in them."""
GAP = 2.0
"""Seconds between two runs."""
TOLERANCE = 0.03
"""A smaller batch is taken if it loses no more than this of the faces per second: it makes more steps."""
MEMORY = 0.9
"""Fraction of the device's memory that a batch may take."""
MAX_VALIDATION = 0.06
"""Largest fraction of a run that validation may take."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Training with one batch size: `images_per_s`, `steps_per_s`, `memory_gib` at its highest."""

    batch: int
    images_per_s: float
    steps_per_s: float
    memory_gib: float


def affordable(left: float, least: Sequence[float]) -> int:
    """How many of the remaining runs are started, in order: each gets at least its minimum; all in seconds.

    The first is always started.
    """
    count, needed = 0, 0.0
    for seconds in least:
        needed += seconds
        if count and needed > left:
            break
        count += 1
    return count


def next_slot(left: float, shares: Sequence[float], least: Sequence[float]) -> float:
    """Seconds of the first of the remaining runs: its minimum, and its share of what all minima leave.

    Args:
        left: seconds until the last run must have ended.
        shares: of the remaining runs, the next one first.
        least: their minima, seconds; where they do not fit together, they are shortened alike.
    """
    left = max(0.0, left - GAP * (len(shares) - 1))
    minima = sum(least)
    if left < minima:
        return left * least[0] / minima
    return least[0] + (left - minima) * shares[0] / sum(shares)


def training_minutes(slot: float, validation: float) -> float:
    """Length of a run's schedule: the slot without its start and end (last validation, files).

    Args:
        slot, validation: seconds of the slot, and of one validation as measured.
    """
    tail = 3.0 + 1.5 * validation
    return max(0.02, (slot - tail) / 60.0)


def choose_batch(probes: Sequence[Probe], memory_gib: float = math.inf) -> Probe:
    """The batch size with the most faces per second that fits; a smaller one that is nearly as fast wins.

    Raises:
        ValueError: none fits.
    """
    fitting = [probe for probe in probes if probe.memory_gib <= MEMORY * memory_gib]
    if not fitting:
        raise ValueError(f"no batch size fits into {memory_gib:.0f} GiB")
    fastest = max(probe.images_per_s for probe in fitting)
    near = [probe for probe in fitting if probe.images_per_s >= (1.0 - TOLERANCE) * fastest]
    return min(near, key=lambda probe: probe.batch)


def scaled_lr(lr: float, batch: int, reference: int) -> float:
    """The learning rate of `batch`, where `lr` is that of `reference`: it grows with the root."""
    return lr * math.sqrt(batch / reference)


def validation_interval(seconds: float, steps_per_s: float, validation: float) -> int:
    """Steps between validations: about ten in a run, fewer where they would take too much of it.

    Args:
        seconds: of training.
        validation: seconds of one validation.
    """
    count = min(10.0, MAX_VALIDATION * seconds / max(validation, 1e-3))
    return max(1, round(seconds * steps_per_s / max(count, 1.0)))


def state_interval(steps_per_s: float) -> int:
    """Steps between states: about a minute, the most that a killed run loses."""
    return max(1, round(60.0 * steps_per_s))
