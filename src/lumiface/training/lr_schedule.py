"""The learning rate over a run."""

from __future__ import annotations

import math

from lumiface.training.config import RunConfig


def learning_rate(step: int, config: RunConfig, progress: float = 0.0) -> float:
    """The rate at `step` (from 0): linear warm-up; cosine to `lr_end`, halvings at 50, 75, 90 %, or constant.

    Args:
        progress: fraction of the run that is done, 0 to 1; used only for runs of a fixed duration.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.lr
    if config.minutes is None:
        progress = (step - config.warmup) / (config.steps - config.warmup)
    if config.schedule == "milestones":
        return config.lr * 0.5 ** sum(progress >= point for point in (0.5, 0.75, 0.9))
    fall = 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
    return config.lr * (config.lr_end + (1.0 - config.lr_end) * fall)
