"""What the loop and its lessons have agreed on; see `loop` for who calls what, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.training.ema import EMA


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run stops before its schedule's end, and how it starts.

    Attributes:
        max_steps: stop at this step; the state is kept and a later call goes on.
        max_minutes: the same, by the clock, counted from this call.
        init_from: weights to start from instead of random ones (only at step 0).
    """

    max_steps: int | None = None
    max_minutes: float | None = None
    init_from: str | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class TrainResult:
    """Where a run stands: the last step done, the best score in validation, and its weights."""

    step: int
    best: float
    weights: Path


@dataclass(slots=True)
class TrainState:
    """The networks as they sit in a run.

    Attributes:
        models: as Fabric wraps them: call these in a step.
        averages: moving averages of their weights: what is validated and shipped, or what teachers are.
        progress: how much of the run is behind them, from 0 to 1.
    """

    models: dict[str, Any]
    averages: dict[str, EMA]
    progress: float = 0.0


class TrainingTask(Protocol):
    """What a run learns.

    Attributes:
        score: what validation measures (higher is better), as the log names it.
        examples: how many pictures there are to learn from.
        method: the registry's name of what is shipped.
    """

    score: str
    examples: int
    method: str

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Those that are trained, by name; the first one's weights are what the run is for."""
        ...

    @property
    def settings(self) -> BaseModel:
        """The configuration of what is shipped."""
        ...

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer: ...

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        """One step: whose turn it is, the weighted parts of its loss, and the pictures it saw.

        When the iterator is resumed, that network has taken its step. A pure function of the networks and
        `step`, but for what `state_dict` holds.
        """
        ...

    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """The score, and pictures (3·n, 3, H, W): inputs, outputs, truths."""
        ...

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        """What is saved to be shipped; `settings` builds the network that it fills."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...
