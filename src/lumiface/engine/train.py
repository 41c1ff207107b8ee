"""Training: one loop that can be read from top to bottom.

Lightning Fabric carries it unchanged from a laptop's CPU to many machines: it places the network, casts the
arithmetic and sums the gradients; what happens, and in which order, stands here.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from lumiface.data.faces import FaceSet, load_faces
from lumiface.engine.checkpoint import load_state, save_state, save_weights
from lumiface.engine.config import TrainConfig, bright_over_small
from lumiface.engine.observe import Observer
from lumiface.engine.schedule import AveragedWeights, Draw, learning_rate
from lumiface.engine.validate import Validation
from lumiface.errors import LumifaceError, SettingError
from lumiface.registry import build, build_recipe, load_model

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run stands: the last step done, the best validation PSNR-Y (dB), and its weights."""

    step: int
    best_psnr_y: float
    weights: Path


def train(
    config: TrainConfig,
    folder: Path,
    fabric: Fabric,
    *,
    data_root: str = ".",
    limits: Limits = Limits(),
    faces: FaceSet | None = None,
) -> Outcome:
    """Train, or go on with, one run.

    The folder holds `state.safetensors` (to go on from), `last.safetensors` and `best.safetensors` (averaged
    weights, for `load_model`), `log.jsonl`, TensorBoard's files, and validation pictures. A run that was
    killed goes on from its last state and, on one machine, ends with the same bits as one left alone.

    Args:
        data_root: folder that `{data}` stands for in the configuration.
        faces: the training faces, where a caller of many runs has loaded them already.

    Raises:
        LumifaceError: the loss stays infinite or NaN; the data cannot be read; the folder holds a run of
            another network.
    """
    sources = [source.format(data=data_root) for source in config.train]
    recipe = build_recipe(config.method, config.recipe, config.seed + fabric.global_rank)
    observer = Observer(folder, config, enabled=fabric.is_global_zero)
    torch.manual_seed(config.seed)
    network = build(config.method, config.network)
    network_config: Any = network.config
    scale = bright_over_small(config, network_config.scale)
    if faces is None:
        faces = load_faces(sources, fabric.device, observer.tell)
    if limits.start_from is not None:
        network.load_state_dict(load_model(limits.start_from).state_dict())
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.lr, fused=fabric.device.type == "cuda")
    model, optimizer = fabric.setup(network, optimizer)
    average = AveragedWeights(network, config.ema)
    draw = Draw(faces, config, scale, fabric.global_rank, fabric.world_size)
    held_out = config.validate_on.format(data=data_root)
    validation = Validation(config, held_out, scale, fabric.device)

    step, best, minutes_before = 0, -math.inf, 0.0
    state_file = folder / "state.safetensors"
    if state_file.is_file():
        parts, facts = load_state(state_file, fabric.device)
        if facts.get("network") != network_config.model_dump(mode="json"):
            raise SettingError(
                f"{state_file} holds a run of another network ({facts.get('network')}); start with --fresh"
            )
        network.load_state_dict(parts["network"])
        optimizer.load_state_dict(parts["optimizer"])
        recipe.load_state_dict(parts["recipe"])
        average.load(parts["average"])
        step, best, minutes_before = facts["step"], facts["best_psnr_y"], facts["minutes"]
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
            average.weights,
            method=config.method,
            config=network_config,
            provenance=observer.provenance(step, minutes_before + minutes(), len(faces), best),
        )

    def keep_state() -> None:
        if not fabric.is_global_zero:
            return
        save_state(
            state_file,
            {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "recipe": recipe.state_dict(),
                "average": average.weights,
            },
            {
                "step": step,
                "best_psnr_y": best,
                "minutes": minutes_before + minutes(),
                "network": network_config.model_dump(mode="json"),
            },
        )
        keep_weights("last")

    bad_steps = 0
    while step < last and not time_is_up():
        high, boxes, generator = draw(step)
        low, target = recipe.degrade(high, config.task, scale, generator)
        low = low.contiguous(memory_format=torch.channels_last)
        rate = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate

        shrunk = target.shape[-1] / high.shape[-1]  # 1, save where the task ends at the small size
        parts = recipe(model(low).float(), low, target, boxes * shrunk)
        loss = torch.stack(list(parts.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        norm = fabric.clip_gradients(network, optimizer, max_norm=config.clip, error_if_nonfinite=False)
        if norm is None or bool(torch.isfinite(norm)):
            optimizer.step()
            average.update(network, step)
            bad_steps = 0
        else:
            bad_steps += 1
            observer.tell(f"step {step}: the gradient is not finite; step skipped ({bad_steps} in a row)")
            if bad_steps == PATIENCE:
                raise LumifaceError(
                    f"{folder}: {PATIENCE} steps in a row were not finite; lower lr in the configuration"
                )
        step += 1
        observer.step(step, parts, rate, len(high) * fabric.world_size)

        if step % config.validate_every == 0 or step == config.steps:
            if fabric.is_global_zero:
                score = validation(average.weights, network)
                observer.validated(step, score, validation.pictures)
                if score > best:
                    best = score
                    keep_weights("best")
            fabric.barrier()
        if step % config.save_every == 0:
            keep_state()
    keep_state()
    observer.close()
    return Outcome(step, best, folder / ("best.safetensors" if best > -math.inf else "last.safetensors"))
