"""The training loop for every task; it can be read from top to bottom.

Lightning Fabric runs the same code on a laptop's CPU and on many machines: it places the networks, casts the
arithmetic and averages the gradients. What happens, and in which order, is written here; the networks, the
batches and the losses are a `TrainingTask`'s.
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
from lumiface.training.compiled import maybe_compile
from lumiface.training.config import RunConfig
from lumiface.training.discriminator_weights import DISCRIMINATOR_FILE, save_discriminator
from lumiface.training.ema import EMA
from lumiface.training.gradients import average_gradients, gradient_shares, no_gradient_sync
from lumiface.training.logger import LOG_EVERY, RunLogger
from lumiface.training.lr_schedule import learning_rate
from lumiface.training.optimizer_step import NonFiniteCounter, optimizer_step
from lumiface.training.task import Limits, LossTerms, TrainingTask, TrainResult, TrainState
from lumiface.training.throughput import StepFlops, measure_peak


def training_loop(
    task: TrainingTask, config: RunConfig, folder: Path, fabric: Fabric, logger: RunLogger, limits: Limits
) -> TrainResult:
    """Train one run, or resume it.

    The folder holds `state.safetensors` (to resume from), `last.safetensors` and `best.safetensors` (weights
    to ship), `log.jsonl`, TensorBoard's files, and validation images. A run that was killed resumes from its
    last state and, on one machine, ends bit for bit like one that was never stopped.

    Raises:
        LumifaceError: a loss stays infinite or NaN; the folder holds a run of another network.
    """
    state, optimizers = set_up(task, config, fabric)
    step, best, minutes_before = 0, -math.inf, 0.0
    state_file = folder / "state.safetensors"
    if state_file.is_file():
        parts, facts = load_state(state_file, fabric.device, task.networks)
        if not same_network(facts.get("network"), task.model_config):
            raise SettingError(
                f"{state_file} holds a run of another network ({facts.get('network')}); start with --fresh"
            )
        for name, network in task.networks.items():
            if name not in parts["networks"]:  # a discriminator that joins later starts untrained
                continue
            network.load_state_dict(parts["networks"][name])
            optimizers[name].load_state_dict(parts["optimizers"][name])
            state.ema[name].load(parts["ema"][name])
        if parts["task"]:
            task.load_state_dict(parts["task"])
        step, minutes_before = facts["step"], facts["minutes"]
        if facts.get("score", task.monitor) == task.monitor:
            best = facts["best"]
        logger.log(f"resuming from step {step}" + ("" if config.minutes else f" of {config.steps}"))
    logger.start(step)
    last = math.inf if config.minutes else config.steps
    last = min(last, limits.max_steps or last)
    started = time.monotonic()

    def minutes() -> float:
        return (time.monotonic() - started) / 60.0

    def continues() -> bool:
        done = (minutes_before + minutes()) / config.minutes if config.minutes else step / config.steps
        expired = limits.max_minutes is not None and minutes() >= limits.max_minutes
        state.progress, expired = fabric.broadcast((min(done, 1.0), expired))  # all stop at the same step
        return step < last and state.progress < 1.0 and not expired

    def write_weights(name: str) -> None:
        save_weights(
            folder / f"{name}.safetensors",
            task.weights(state),
            method=task.method,
            config=task.model_config,
            provenance=logger.provenance(step, minutes_before + minutes(), task.num_samples),
            score=None if best == -math.inf else {"name": task.monitor, "value": best},
            trained_on=task.trained_on,
            sizes=task.sizes,
        )

    def validate() -> None:
        nonlocal best
        if fabric.is_global_zero:
            score, images = task.validate(state)
            logger.log_validation(step, task.monitor, score, images)
            if score > best:
                best = score
                write_weights("best")
        fabric.barrier()

    def write_state() -> None:
        if not fabric.is_global_zero:
            return
        save_state(
            state_file,
            {
                "networks": {name: network.state_dict() for name, network in task.networks.items()},
                "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
                "ema": {name: ema.weights for name, ema in state.ema.items()},
                "task": task.state_dict(),
            },
            {
                "step": step,
                "score": task.monitor,
                "best": best,
                "minutes": minutes_before + minutes(),
                "network": task.model_config.model_dump(mode="json"),
            },
        )
        write_weights("last")
        for name, network in task.networks.items():
            if name.startswith("discriminator"):
                save_discriminator(folder / DISCRIMINATOR_FILE, network, task.state_dict())

    nonfinite, on_cpu, flops = NonFiniteCounter(fabric.device), fabric.device.type == "cpu", StepFlops()
    while continues():
        lr = learning_rate(step, config, state.progress)
        finite, terms, images = torch.ones((), dtype=torch.bool, device=fabric.device), dict[str, Tensor](), 0
        with no_gradient_sync(fabric, state.models.values()), flops:
            for loss in task.training_steps(state, step):
                optimizer = optimizers[loss.network]
                if shares_are_due(step, config, fabric):
                    shares = gradient_shares(loss.terms, state.models[loss.network].parameters())
                    logger.log_gradient_shares(step + 1, shares)
                updated = update(task, state, optimizer, fabric, loss, step, lr=lr, clip=config.clip)
                finite, terms, images = finite & updated, terms | loss.terms, loss.images
        step += 1
        if flops.just_counted:
            peak = measure_peak(fabric.device, str(fabric.strategy.precision.precision))
            logger.log_flops(flops.flops, images, peak)
        logger.log_step(step, terms, lr, images * fabric.world_size)
        nonfinite.update(finite)
        if on_cpu or step % LOG_EVERY == 0:  # on a GPU, reading the counter synchronises
            nonfinite.report(folder, step - 1, logger.log)

        if step % config.validate_every == 0 or step == config.steps:
            validate()
        if step % config.save_every == 0:
            write_state()
    if config.minutes and state.progress == 1.0 and step % config.validate_every:
        validate()
    write_state()
    logger.close()
    weights = folder / ("best.safetensors" if best > -math.inf else "last.safetensors")
    return TrainResult(step, best, task.monitor, weights)


def shares_are_due(step: int, config: RunConfig, fabric: Fabric) -> bool:
    """Whether a step's terms are weighed by their gradients: not in a compiled network, which frees its
    graph, and in the first process only."""
    compiled = config.compile == "always" or (config.compile == "gpu" and fabric.device.type != "cpu")
    due = config.gradients_every > 0 and (step + 1) % config.gradients_every == 0
    return due and not compiled and fabric.is_global_zero


def set_up(task: TrainingTask, config: RunConfig, fabric: Fabric) -> tuple[TrainState, dict[str, Any]]:
    """A task's networks as they are trained (compiled, placed, wrapped), and their optimizers by name."""
    state, optimizers = TrainState({}, {}), dict[str, Any]()
    for name, network in task.networks.items():
        network.to(memory_format=torch.channels_last)
        state.models[name], optimizers[name] = fabric.setup(
            maybe_compile(network, config.compile, fabric.device), task.optimizer(name, fabric.device)
        )
        state.ema[name] = EMA(network, config.ema)
    return state, optimizers


def update(
    task: TrainingTask,
    state: TrainState,
    optimizer: Any,
    fabric: Fabric,
    loss: LossTerms,
    step: int,
    *,
    lr: float,
    clip: float,
) -> Tensor:
    """Take one optimizer step, with averaged and clipped gradients, and update the moving average.

    Returns:
        Scalar bool on the device: whether the gradient was finite; otherwise the weights are left alone.
    """
    network = state.models[loss.network]
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(torch.stack(list(loss.terms.values())).sum())
    average_gradients(fabric, network)
    updated = optimizer_step(fabric, network, optimizer, clip)
    state.ema[loss.network].update(task.networks[loss.network], step)
    return updated
