"""The training loop, for everything that is trained here; it can be read from top to bottom.

Lightning Fabric carries it unchanged from a laptop's CPU to many machines: it places the networks, casts the
arithmetic and carries the gradients; what happens, and in which order, stands here. *What* is learnt is a
`TrainingTask`'s: its networks, its batches, its losses.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.training.checkpoint import load_state, same_network, save_state, save_weights
from lumiface.training.config import RunConfig
from lumiface.training.ema import EMA
from lumiface.training.gradient_sync import apart, average_gradients
from lumiface.training.logger import LOG_EVERY, RunLogger
from lumiface.training.lr_schedule import learning_rate
from lumiface.training.optimizer_step import NonFiniteCounter, take_step
from lumiface.training.task import Limits, TrainingTask, TrainResult, TrainState
from lumiface.training.throughput import FirstStepFlops, compiled, measure_peak


def run(
    lesson: TrainingTask, config: RunConfig, folder: Path, fabric: Fabric, observer: RunLogger, limits: Limits
) -> TrainResult:
    """Train, or go on with, one run.

    The folder holds `state.safetensors` (to go on from), `last.safetensors` and `best.safetensors` (what
    ships), `log.jsonl`, TensorBoard's files, and validation pictures. A run that was killed goes on from
    its last state and, on one machine, ends with the same bits as one left alone.

    Raises:
        LumifaceError: a loss stays infinite or NaN; the folder holds a run of another network.
    """
    pupils, optimizers = TrainState({}, {}), dict[str, Any]()
    for name, network in lesson.networks.items():
        network.to(memory_format=torch.channels_last)
        pupils.models[name], optimizers[name] = fabric.setup(
            compiled(network, config.compile, fabric.device), lesson.optimizer(name, fabric.device)
        )
        pupils.averages[name] = EMA(network, config.ema)
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
        observer.tell(f"going on from step {step}" + ("" if config.minutes else f" of {config.steps}"))
    observer.start(step)
    last = math.inf if config.minutes else config.steps
    last = min(last, limits.max_steps or last)
    started = time.monotonic()

    def minutes() -> float:
        return (time.monotonic() - started) / 60.0

    def goes_on() -> bool:
        done = (minutes_before + minutes()) / config.minutes if config.minutes else step / config.steps
        up = limits.max_minutes is not None and minutes() >= limits.max_minutes
        pupils.progress, up = fabric.broadcast((min(done, 1.0), up))  # all processes stop at the same step
        return step < last and pupils.progress < 1.0 and not up

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

    def validate() -> None:
        nonlocal best
        if fabric.is_global_zero:
            score, pictures = lesson.validate(pupils)
            observer.validated(step, lesson.score, score, pictures)
            if score > best:
                best = score
                keep_weights("best")
        fabric.barrier()

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

    skipped, on_cpu, cost = NonFiniteCounter(fabric.device), fabric.device.type == "cpu", FirstStepFlops()
    while goes_on():
        rate = learning_rate(step, config, pupils.progress)
        finite, seen, images = torch.ones((), dtype=torch.bool, device=fabric.device), dict[str, Tensor](), 0
        with apart(fabric, pupils.models.values()), cost:
            for name, parts, count in lesson.turns(pupils, step):
                network, optimizer = pupils.models[name], optimizers[name]
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
                fabric.backward(torch.stack(list(parts.values())).sum())
                average_gradients(fabric, network)
                taken = take_step(fabric, network, optimizer, config.clip)
                pupils.averages[name].update(lesson.networks[name], step)
                finite, seen, images = finite & taken, seen | parts, count
        step += 1
        if cost.first:
            peak = fabric.world_size * measure_peak(fabric.device, str(fabric.strategy.precision.precision))
            observer.costs(cost.flops / images, peak)
        observer.step(step, seen, rate, images * fabric.world_size)
        skipped.saw(finite)
        if on_cpu or step % LOG_EVERY == 0:  # elsewhere to ask is to wait for the device
            skipped.tell(folder, step - 1, observer.tell)

        if step % config.validate_every == 0 or step == config.steps:
            validate()
        if step % config.save_every == 0:
            keep_state()
    if config.minutes and pupils.progress == 1.0 and step % config.validate_every:
        validate()
    keep_state()
    observer.close()
    return TrainResult(step, best, folder / ("best.safetensors" if best > -math.inf else "last.safetensors"))
