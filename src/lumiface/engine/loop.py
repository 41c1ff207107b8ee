"""The training loop, for everything that is trained here; it can be read from top to bottom.

Lightning Fabric carries it unchanged from a laptop's CPU to many machines: it places the networks, casts the
arithmetic and carries the gradients; what happens, and in which order, stands here. *What* is learnt is a
`Lesson`'s: its networks, its batches, its losses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.fabric import Fabric
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.engine.checkpoint import load_state, same_network, save_state, save_weights
from lumiface.engine.config import RunConfig
from lumiface.engine.observe import Observer
from lumiface.engine.schedule import AveragedWeights, learning_rate
from lumiface.engine.together import apart, average_gradients
from lumiface.errors import LumifaceError, SettingError

PATIENCE = 20
"""So many steps in a row may end in infinities or NaN, and be skipped, before the run is given up."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run stops before its schedule's end, and how it starts.

    Attributes:
        max_steps: stop at this step; the state is kept and a later call goes on.
        max_minutes: the same, by the clock, counted from this call.
        start_from: weights to start from instead of random ones (only at step 0).
    """

    max_steps: int | None = None
    max_minutes: float | None = None
    start_from: str | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run stands: the last step done, the best score in validation, and its weights."""

    step: int
    best: float
    weights: Path


@dataclass(slots=True)
class Pupils:
    """The networks as they sit in a run.

    Attributes:
        models: as Fabric wraps them: call these in a step.
        averages: moving averages of their weights: what is validated and shipped, or what teachers are.
    """

    models: dict[str, Any]
    averages: dict[str, AveragedWeights]


class Lesson(Protocol):
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

    def turns(self, pupils: Pupils, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        """One step: whose turn it is, the weighted parts of its loss, and the pictures it saw.

        When the iterator is resumed, that network has taken its step. A pure function of the networks and
        `step`, but for what `state_dict` holds.
        """
        ...

    def validate(self, pupils: Pupils) -> tuple[float, Tensor]:
        """The score, and pictures (3·n, 3, H, W): inputs, outputs, truths."""
        ...

    def weights(self, pupils: Pupils) -> dict[str, Tensor]:
        """What is saved to be shipped; `settings` builds the network that it fills."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


def run(
    lesson: Lesson, config: RunConfig, folder: Path, fabric: Fabric, observer: Observer, limits: Limits
) -> Outcome:
    """Train, or go on with, one run.

    The folder holds `state.safetensors` (to go on from), `last.safetensors` and `best.safetensors` (what
    ships), `log.jsonl`, TensorBoard's files, and validation pictures. A run that was killed goes on from
    its last state and, on one machine, ends with the same bits as one left alone.

    Raises:
        LumifaceError: a loss stays infinite or NaN; the folder holds a run of another network.
    """
    pupils, optimizers = Pupils({}, {}), dict[str, Any]()
    for name, network in lesson.networks.items():
        network.to(memory_format=torch.channels_last)
        pupils.models[name], optimizers[name] = fabric.setup(network, lesson.optimizer(name, fabric.device))
        pupils.averages[name] = AveragedWeights(network, config.ema)
    settings = lesson.settings.model_dump(mode="json")

    step, best, minutes_before = 0, -math.inf, 0.0
    state_file = folder / "state.safetensors"
    if state_file.is_file():
        parts, facts = load_state(state_file, fabric.device)
        if not same_network(facts.get("network"), lesson.settings):
            raise SettingError(
                f"{state_file} holds a run of another network ({facts.get('network')}); start with --fresh"
            )
        for name, network in lesson.networks.items():
            if name not in parts["networks"]:  # as a critic who joins later: it begins untrained
                continue
            network.load_state_dict(parts["networks"][name])
            optimizers[name].load_state_dict(parts["optimizers"][name])
            pupils.averages[name].load(parts["averages"][name])
        if parts["lesson"]:
            lesson.load_state_dict(parts["lesson"])
        step, minutes_before = facts["step"], facts["minutes"]
        if facts.get("score", lesson.score) == lesson.score:
            best = facts["best"]
        observer.tell(f"going on from step {step} of {config.steps}")
    observer.start(step)
    last = min(config.steps, limits.max_steps or config.steps)
    started = time.monotonic()

    def minutes() -> float:
        return (time.monotonic() - started) / 60.0

    def time_is_up() -> bool:
        up = limits.max_minutes is not None and minutes() >= limits.max_minutes
        return bool(fabric.broadcast(up))  # all processes stop at the same step

    def keep_weights(name: str) -> None:
        save_weights(
            folder / f"{name}.safetensors",
            lesson.weights(pupils),
            method=lesson.method,
            config=lesson.settings,
            provenance=observer.provenance(
                step, minutes_before + minutes(), lesson.examples, lesson.score, best
            ),
        )

    def keep_state() -> None:
        if not fabric.is_global_zero:
            return
        save_state(
            state_file,
            {
                "networks": {name: network.state_dict() for name, network in lesson.networks.items()},
                "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
                "averages": {name: average.weights for name, average in pupils.averages.items()},
                "lesson": lesson.state_dict(),
            },
            {
                "step": step,
                "score": lesson.score,
                "best": best,
                "minutes": minutes_before + minutes(),
                "network": settings,
            },
        )
        keep_weights("last")

    bad_steps = 0
    while step < last and not time_is_up():
        rate = learning_rate(step, config)
        finite, seen, images = True, dict[str, Tensor](), 0
        with apart(fabric, pupils.models.values()):
            for name, parts, count in lesson.turns(pupils, step):
                network, optimizer = pupils.models[name], optimizers[name]
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
                fabric.backward(torch.stack(list(parts.values())).sum())
                average_gradients(fabric, network)
                norm = fabric.clip_gradients(
                    network, optimizer, max_norm=config.clip, error_if_nonfinite=False
                )
                if norm is None or bool(torch.isfinite(norm)):
                    optimizer.step()
                    pupils.averages[name].update(lesson.networks[name], step)
                else:
                    finite = False
                seen, images = seen | parts, count
        bad_steps = 0 if finite else bad_steps + 1
        if not finite:
            observer.tell(f"step {step}: the gradient is not finite; step skipped ({bad_steps} in a row)")
            if bad_steps == PATIENCE:
                raise LumifaceError(
                    f"{folder}: {PATIENCE} steps in a row were not finite; lower lr in the configuration"
                )
        step += 1
        observer.step(step, seen, rate, images * fabric.world_size)

        if step % config.validate_every == 0 or step == config.steps:
            if fabric.is_global_zero:
                score, pictures = lesson.validate(pupils)
                observer.validated(step, lesson.score, score, pictures)
                if score > best:
                    best = score
                    keep_weights("best")
            fabric.barrier()
        if step % config.save_every == 0:
            keep_state()
    keep_state()
    observer.close()
    return Outcome(step, best, folder / ("best.safetensors" if best > -math.inf else "last.safetensors"))
