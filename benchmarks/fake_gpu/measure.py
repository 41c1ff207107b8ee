"""The cost of one training step of a configuration, averaged over the steps of a period."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils import _foreach_utils  # pyright: ignore[reportPrivateUsage]

from fake_gpu.backward import PythonEngine
from fake_gpu.compiled import FakeCompiler
from fake_gpu.counter import HostWait, Kernel, StepCounter
from fake_gpu.device import FakeDevice
from fake_gpu.fabric import fake_fabric
from fake_gpu.host import seconds_per_operation
from fake_gpu.placement import AnyGenerator, PlacedOnCpu, mark
from fake_gpu.roofline import CARDS, milliseconds
from lumiface.training import loop
from lumiface.training.config import Compile, RunConfig
from lumiface.training.context import TaskContext
from lumiface.training.logger import RunLogger
from lumiface.training.task import NO_LIMITS, TrainingTask
from lumiface.training.tasks.table import entry_of

NEVER = 10**9


@dataclass(frozen=True, slots=True)
class StepCost:
    """Per step, averaged over `steps` steps after the first.

    Attributes:
        images: of the last optimizer step of each, averaged.
        kernels: started.
        pinned: copies to the device for which the host does not wait.
        waits: how often the host waits, by kind and place.
        gflops: 10^9 floating-point operations.
        gib: memory traffic of all kernels, 2^30 bytes.
        operations: that the host dispatches: kernels, views, allocations, and those on the CPU.
        host_ms: what it needs for them, at this machine's `seconds_per_operation`.
        device_ms: card -> what bounds the kernels -> ms; see `roofline`.
    """

    steps: int
    images: float
    operations: float
    kernels: float
    pinned: float
    waits: dict[HostWait, float]
    gflops: float
    gib: float
    host_ms: float
    device_ms: dict[str, dict[str, float]]

    def step_ms(self, card: str) -> float:
        """The prediction: host and device work at the same time, and the slower of them decides."""
        return max(self.host_ms, sum(self.device_ms[card].values()))


def measure_step(
    config: RunConfig,
    data_root: str = ".",
    *,
    steps: int | None = None,
    progress: float = 0.0,
    compiled: Compile = "never",
    log: Callable[[str], None] = print,
) -> StepCost:
    """Run some training steps of a configuration on a device without values.

    Args:
        config: of a method or a component; its precision and batch are those of the result.
        data_root: replaces `{data}` in its paths. A few more faces than a batch are enough.
        steps: how many are averaged; the first, and later ones in which a size is compiled, are not among
            them. None: a period of the recipe's lazy regularisation, at least 4.
        progress: of the run, 0 to 1: selects the input sizes of runs that grow.
        compiled: replaces `compile` of the configuration, see `RunConfig`.
        log: takes lines of text about the data.
    """
    compiler = FakeCompiler()
    changes = {"compile": compiled, "validate_every": NEVER, "save_every": NEVER}
    config = config.model_copy(update=changes | {"steps": max(config.steps, 1000)})
    fabric = fake_fabric(config.precision, progress)
    context = TaskContext(fabric, data_root, None, log)
    with (
        PlacedOnCpu(),
        patch.object(torch, "Generator", AnyGenerator),
        patch.object(torch, "compile", compiler),
    ):
        task: TrainingTask = entry_of(config).task(config, context)
        for network in task.networks.values():  # as Fabric and the loop will
            network.to(memory_format=torch.channels_last)
            for value in (*network.parameters(), *network.buffers()):
                mark(value)
        if "p" in (state := task.state_dict()):  # the augmentation of a run that is under way
            task.load_state_dict(state | {"p": torch.full_like(state["p"], 0.5)})
    records: list[_Record] = []
    last = period(task) if steps is None else steps
    with ExitStack() as stack:
        counter, device = stack.enter_context(pretend_cuda())
        stack.enter_context(patch.object(nn.Module, "to", _stay))
        device.move(task)
        # Collecting cycles of tensors without values while autograd's nodes are called has crashed torch.
        gc.disable()
        stack.callback(gc.enable)
        stack.enter_context(patch.object(torch, "compile", compiler))
        stack.enter_context(patch.object(loop, "measure_peak", lambda *_: 1e12))
        compiler.device, compiler.counter = device, counter
        seen = [0, -1]  # operations and compiled graphs before the step

        def record(images: int) -> None:
            operations = device.operations - seen[0]
            if compiler.made == seen[1]:
                records.append(_Record(images, operations, counter.kernels, counter.waits, counter.pinned))
            counter.reset()
            seen[:] = device.operations, compiler.made
            if len(records) == last:
                raise _LastStepError

        with suppress(_LastStepError):
            loop.training_loop(task, config, Path("nowhere"), fabric, _StepLogger(config, record), NO_LIMITS)
    return _average(records)


@contextmanager
def pretend_cuda() -> Generator[tuple[StepCounter, FakeDevice]]:
    """Inside, device "cuda" exists without values, and what runs on it is counted."""
    counter = StepCounter()
    device, engine = FakeDevice(counter), PythonEngine(counter)
    _forget_cached()
    with ExitStack() as stack:
        for owner, name, value in (
            (torch, "Generator", AnyGenerator),
            (torch.autograd, "backward", engine.backward),
            (torch.autograd, "grad", engine.grad),
            (vars(torch)["_C"], "_conv_determine_backend_memory_format", _cudnn_format),
            (torch.cuda, "is_bf16_supported", lambda *_, **__: True),
            (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            (Tensor, "pin_memory", _pin),
            (Tensor, "is_pinned", lambda tensor, *_: getattr(tensor.untyped_storage(), "pinned", False)),
        ):
            stack.enter_context(patch.object(owner, name, value))
        fake_too = [*cast("Any", _foreach_utils)._foreach_supported_types, FakeTensor]
        stack.enter_context(patch.object(_foreach_utils, "_foreach_supported_types", fake_too))
        stack.callback(_forget_cached)
        stack.enter_context(device.fake)
        stack.enter_context(device)
        yield counter, device


def period(task: Any) -> int:
    """Steps after which lazy regularisation repeats, at least 4 so that several input sizes occur."""
    recipe: Any = task.recipe
    settings = [recipe.config, *([recipe.gan.config] if hasattr(recipe, "gan") else [])]
    names = ("r1_every", "path_length_every") if len(task.networks) > 1 else ()
    return max([4, *(getattr(each, name, 0) for each in settings for name in names)])


@dataclass(frozen=True, slots=True)
class _Record:
    """One step."""

    images: int
    operations: int
    kernels: list[Kernel]
    waits: list[HostWait]
    pinned: list[str]


def _average(records: list[_Record]) -> StepCost:
    count = len(records)
    kernels = [kernel for record in records for kernel in record.kernels]
    waits = Counter(wait for record in records for wait in record.waits)
    operations = sum(record.operations for record in records) / count
    times = {name: milliseconds(kernels, card) for name, card in CARDS.items()}
    return StepCost(
        steps=count,
        images=sum(record.images for record in records) / count,
        operations=operations,
        kernels=len(kernels) / count,
        pinned=sum(len(record.pinned) for record in records) / count,
        waits={wait: number / count for wait, number in sorted(waits.items())},
        gflops=sum(kernel.flops for kernel in kernels) / count / 1e9,
        gib=sum(kernel.bytes for kernel in kernels) / count / 2**30,
        host_ms=1e3 * seconds_per_operation() * operations,
        device_ms={name: {key: ms / count for key, ms in time.items()} for name, time in times.items()},
    )


class _LastStepError(Exception):
    """Ends the loop."""


class _StepLogger(RunLogger):
    """Adds up what a run's log does, and then reports the end of a step."""

    def __init__(self, config: RunConfig, after: Callable[[int], None]) -> None:
        super().__init__(Path("nowhere"), config, enabled=False)
        self.after = after

    def log_step(self, step: int, terms: dict[str, Tensor], lr: float, images: int) -> None:
        super().log_step(step, terms, lr, images)
        self.after(images)


def _stay(module: nn.Module, *_: Any, **__: Any) -> nn.Module:
    """In place of `Module.to`, which cannot exchange fake parameters; all are where they belong."""
    return module


def _pin(tensor: Tensor, *_: Any) -> Tensor:
    """In place of `Tensor.pin_memory`, which needs a driver."""
    pinned = tensor.clone()
    cast("Any", pinned.untyped_storage()).pinned = True
    return pinned


def _cudnn_format(image: Tensor, weight: Tensor, _: Any) -> torch.memory_format:
    """Of the results of a convolution: channels last where an input is; torch without CUDA knows no cuDNN."""
    formats = (suggest_memory_format(image), suggest_memory_format(weight))
    return torch.channels_last if torch.channels_last in formats else torch.contiguous_format


def _forget_cached() -> None:
    """Clear the caches of lumiface's functions: tensors with and without values must not meet in them."""
    for name, module in list(sys.modules.items()):
        if name.startswith("lumiface."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
