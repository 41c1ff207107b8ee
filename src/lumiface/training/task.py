"""The contract between the training loop and a training task; see `loop` for who calls what, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.registry import WorkingSizes
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.ema import EMA


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run stops before its schedule's end, and how it starts.

    Attributes:
        max_steps: stop at this step; the state is kept, and a later call resumes.
        max_minutes: the same by the clock, counted from this call.
        init_from: weights to start from instead of random ones (at step 0 only).
    """

    max_steps: int | None = None
    max_minutes: float | None = None
    init_from: str | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The last step, the best validation score, the name of that score, and the file of the weights."""

    step: int
    best: float
    monitor: str
    weights: Path


@dataclass(slots=True)
class TrainState:
    """The networks of a run while it trains.

    Attributes:
        models: as Fabric wraps them: call these in a step.
        ema: moving averages of their weights: what is validated and shipped, or what teachers are.
        progress: fraction of the run that is done, 0 to 1.
    """

    models: dict[str, Any]
    ema: dict[str, EMA]
    progress: float = 0.0


class LossTerms(NamedTuple):
    """One optimizer step: the network that takes it, its weighted loss terms, and the images they saw."""

    network: str
    terms: dict[str, Tensor]
    images: int


class TrainingTask(Protocol):
    """What a run trains: networks, batches, losses, validation.

    Attributes:
        monitor: name of the validation score (higher is better).
        num_samples: number of training images.
        method: the registry's name of the network that is shipped.
        trained_on: simulated camera images, or a benchmark's degradation.
        sizes: sizes of a face at which the network may be trusted; None for components.
    """

    monitor: str
    num_samples: int
    method: str
    trained_on: TrainedOn
    sizes: WorkingSizes | None

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The trained networks by name; the run is for the weights of the first."""
        ...

    @property
    def model_config(self) -> BaseModel:
        """The configuration of the network that is shipped."""
        ...

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer: ...

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        """The optimizer steps of one training step, in order (several in adversarial training).

        When the iterator is resumed, the network it named has been updated. A pure function of the networks
        and `step`, except for what `state_dict` holds.
        """
        ...

    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """The score, and images (3·n, 3, H, W) in [0, 1]: inputs, outputs, targets."""
        ...

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        """The weights that are saved to be shipped; `model_config` builds the network that takes them."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...
