"""A row that was trained with several seeds: its mean, and intervals over seeds and pictures.

Pictures say how much a difference depends on the faces of the test set, seeds how much on the luck of the
training. Both variances are added: of a mean over S seeds and N pictures, that of the seeds' means over S and
that of the pictures' means over N. Few seeds are few degrees of freedom: the interval is Student's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumiface.evaluation.bootstrap import Interval, Values


@dataclass(frozen=True, slots=True)
class SeededScore:
    """A mean over seeds and pictures, with its 95 % interval over both; None with a single seed."""

    value: float
    interval: Interval | None


def seeded_mean(seeds: Sequence[Values]) -> SeededScore | None:
    """The mean of one method's scores.

    Args:
        seeds: (N,) scores per picture, of each seed on the same pictures; NaN where there is none.

    Returns:
        None where no picture has a score at every seed.
    """
    scores = _common(seeds)
    if scores.shape[1] == 0:
        return None
    return _summarise(scores, None)


def seeded_difference(seeds: Sequence[Values], first: Sequence[Values]) -> SeededScore | None:
    """The mean of one method's scores minus that of another, on the same pictures.

    The seeds of the two are independent of each other; the pictures are paired.
    """
    both = _common([*seeds, *first])
    if both.shape[1] == 0:
        return None
    return _summarise(both[: len(seeds)], both[len(seeds) :])


def decide(score: SeededScore | None) -> str:
    """What an interval says of a difference: "higher", "lower", or "cannot be told"."""
    if score is None or score.interval is None:
        return "cannot be told"
    low, high = score.interval
    return "higher" if low > 0.0 else "lower" if high < 0.0 else "cannot be told"


def student_quantile(degrees: float) -> float:
    """The 97.5 % quantile of Student's distribution with 1 or more degrees of freedom, to 1e-6.

    With t = √ν tan θ the density is cos(θ)^(ν-1), up to a factor: smooth on a bounded interval.
    """
    if degrees < 1.0:
        raise ValueError(f"degrees of freedom must be 1 or more, got {degrees}")
    # Beyond 1e6 degrees the distribution is normal to 1e-6, and the density too narrow for the grid.
    degrees = min(degrees, 1e6)
    angle = np.linspace(0.0, math.atan(300.0 / math.sqrt(degrees)), 200_001)
    density = np.cos(angle) ** (degrees - 1.0)
    areas = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2.0 * (angle[1] - angle[0]))])
    # Half of the whole area: ∫ cos^(ν-1) from 0 to π/2 = √π Γ(ν/2) / (2 Γ((ν+1)/2)).
    half = 0.5 * math.sqrt(math.pi) * math.exp(math.lgamma(degrees / 2) - math.lgamma((degrees + 1) / 2))
    return math.sqrt(degrees) * math.tan(float(np.interp(0.95 * half, areas, angle)))


def _common(seeds: Sequence[Values]) -> Values:
    """(S, n): the pictures that have a score at every seed."""
    scores = np.stack([np.asarray(values, np.float64) for values in seeds])
    return scores[:, np.isfinite(scores).all(axis=0)]


def _summarise(own: Values, other: Values | None) -> SeededScore:
    per_picture = own.mean(axis=0) - (0.0 if other is None else other.mean(axis=0))
    value = float(per_picture.mean())
    groups = [own] if other is None else [own, other]
    if any(len(group) < 2 for group in groups) or len(per_picture) < 2:
        return SeededScore(value, None)
    of_pictures = float(per_picture.var(ddof=1)) / len(per_picture)
    terms = [float(group.mean(axis=1).var(ddof=1)) / len(group) for group in groups]
    variances = [of_pictures, *terms]
    freedom = [len(per_picture) - 1, *(len(group) - 1 for group in groups)]
    total = sum(variances)
    if total == 0.0:
        return SeededScore(value, (value, value))
    # Welch and Satterthwaite: the degrees of freedom of a sum of estimated variances.
    degrees = total**2 / sum(v**2 / f for v, f in zip(variances, freedom, strict=True))
    half = student_quantile(degrees) * math.sqrt(total)
    return SeededScore(value, (value - half, value + half))
