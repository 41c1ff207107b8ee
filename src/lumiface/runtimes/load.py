"""A trained network by name or file, run by the engine that is asked for, or by the fastest one."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lumiface.core.device import choose_device
from lumiface.core.errors import SettingError
from lumiface.registry import find_capabilities, find_weights, load_model, read_metadata
from lumiface.runtimes.cache import converted, digest_of, mark_checked, recall, remember, was_checked
from lumiface.runtimes.check import Run, is_faithful
from lumiface.runtimes.convert import torch_only
from lumiface.runtimes.engines import EngineNetwork, Network, has_bf16
from lumiface.runtimes.names import (
    ENGINES,
    RUNTIMES,
    WITH_BF16,
    Engine,
    Precision,
    Runtime,
    is_installed,
    require,
)

AUTO = "LUMIFACE_RUNTIME"
"""Environment variable that says what `auto` means, e.g. "torch"."""

TRIALS = 5
"""Runs of each engine in the trial; the shortest counts."""

GAIN = 1.1
"""How many times faster than torch an engine must be, so that noise in the trial does not decide."""

TRIAL_SIDE = 64
"""Side of the picture of the trial, pixels: that of a small face."""


def load_network(
    model: str,
    device: torch.device | str = "cpu",
    runtime: Runtime = "auto",
    precision: Precision = "float32",
) -> Network:
    """A trained network for inference.

    Args:
        model: as of `load_model`.
        device: where it runs; only torch runs on a GPU.
        runtime: the engine; "auto": the fastest of those installed by a short trial, whose result is kept for
            this machine and file. A network that torch alone can run is run by torch; where an engine was
            named, a warning says so.
        precision: "bf16" is faster on processors that have it; on others, and where a network's outputs would
            differ from those of torch by more than 4/255, or by less than 45 dB, it runs in float32.

    Raises:
        InputError, AssetMissing: as of `load_model`.
        SettingError: the engine is not installed, runs on no such device or in no such precision, or the
            network cannot be converted.
    """
    device = choose_device(device)
    check_runtime(runtime, precision, device)
    network = load_model(model, device)
    if runtime == "auto":
        runtime = _meant_by_auto()
    named: Engine | None = None if runtime == "auto" else runtime
    if device.type != "cpu":
        return network
    if (why := torch_only(model, network)) is not None:
        if named not in (None, "torch"):
            warnings.warn(f"{model} runs by torch: {why}", stacklevel=2)
        return network
    network = network.to(memory_format=torch.channels_last)  # convolutions of torch are faster so
    if named == "torch":
        return network
    if named is not None:
        require(named)  # it may be the environment that named it
        return _start(model, network, named, precision)
    return _fastest(model, network, precision)


def check_runtime(runtime: Runtime, precision: Precision, device: torch.device) -> None:
    """Refuse what cannot be, before anything is loaded.

    Raises:
        SettingError: the engine is not installed, or runs on no such device or in no such precision.
    """
    if runtime == "auto":
        _meant_by_auto()
        return
    if runtime != "torch" and device.type != "cpu":
        raise SettingError(f"runtime {runtime} runs on the CPU, not on {device}; use torch there")
    if precision == "bf16" and runtime not in WITH_BF16:
        raise SettingError(f"runtime {runtime} has no bf16; use {' or '.join(WITH_BF16)}, or float32")
    require(runtime)


def _meant_by_auto() -> Runtime:
    """`auto`, or what the environment says instead.

    Raises:
        SettingError: it names no runtime.
    """
    value = os.environ.get(AUTO) or "auto"
    for runtime in RUNTIMES:
        if runtime == value:
            return runtime
    raise SettingError(f"{AUTO}={value}: there is no such runtime; choose from {', '.join(RUNTIMES)}")


def _fastest(model: str, network: nn.Module, precision: Precision) -> Network:
    """The network by the fastest engine that can run it; by torch where no other is faster."""
    others: list[Engine] = [engine for engine in ENGINES if engine != "torch" and is_installed(engine)]
    if not others:
        return network
    digest = digest_of(model)
    if (engine := recall(digest, precision)) is None:
        found: dict[Engine, Network] = {"torch": network}
        for other in others:
            try:
                found[other] = _start(model, network, other, precision)
            except SettingError:
                continue
        times = measure(found, torch.full((1, 3, TRIAL_SIDE, TRIAL_SIDE), 0.2))
        best = min(times, key=lambda name: times[name])
        engine = best if GAIN * times[best] < times["torch"] else "torch"
        if (on_record := remember(digest, precision, engine, times)) in found:
            return found[on_record]
        engine = on_record
    if engine == "torch" or engine not in others:
        return network
    try:
        return _start(model, network, engine, precision)
    except SettingError:
        return network


@torch.inference_mode()
def measure(networks: Mapping[Engine, Run], picture: Tensor) -> dict[Engine, float]:
    """Shortest time of each engine, milliseconds; in turn, so that a busy machine disturbs all alike.

    One thread is measured by its processor time, which other processes hardly disturb.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times = dict.fromkeys(networks, float("inf"))
    for trial in range(TRIALS + 1):
        for engine, network in networks.items():
            start = clock()
            network(picture)
            if trial:  # the first prepares
                times[engine] = min(times[engine], 1000.0 * (clock() - start))
    return times


def _start(model: str, network: nn.Module, engine: Engine, precision: Precision) -> EngineNetwork:
    """The network by an engine, compared with torch before it is used for the first time on this machine.

    Raises:
        SettingError: it cannot be converted, or the engine's outputs are not torch's.
    """
    digest = digest_of(model)
    least = find_capabilities(read_metadata(find_weights(model))["method"]).min_size
    tried: tuple[Precision, ...] = ("bf16", "float32") if precision == "bf16" and has_bf16() else ("float32",)
    for exact in tried:
        for fresh in (False, True):  # a converted model that does not fit was damaged
            model_file = converted(network, digest, fresh=fresh)
            started = _try_engine(network, model_file, engine, exact)
            if started is None:
                continue
            if was_checked(model_file, digest, engine, exact):
                return started
            if is_faithful(network, started, exact, least):
                mark_checked(model_file, digest, engine, exact)
                return started
            if exact == "bf16":
                break
    raise SettingError(f"{model} by {engine} does not give what torch gives; use the runtime torch")


def _try_engine(
    network: nn.Module, model: bytes, engine: Engine, precision: Precision
) -> EngineNetwork | None:
    """None: the engine refuses the model."""
    try:
        return EngineNetwork(network, model, engine, precision)
    except Exception:  # each engine has errors of its own
        return None
