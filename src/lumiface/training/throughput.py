"""Speed of a run relative to its device: FLOPs of a step, FLOPs per second that the device reaches."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class StepFlops(AbstractContextManager["StepFlops"]):
    """Counts the floating-point operations of a run's first steps, each in one use as a context; later it
    does nothing.

    Forward and backward, all that torch has a count for: convolutions, matrix products, attention. A compiled
    network runs uncompiled while it is counted: a compiled kernel does not say what it holds. The first step
    may hold regularisers that most steps do not have, so the smaller count of two is used: the share of
    the peak is then too low rather than too high. Steps of other input sizes have about as many operations:
    a batch has as many pixels at each size.
    """

    COUNTED = 2

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.running = 0
        self.stack = ExitStack()
        self.entered = 0

    @property
    def flops(self) -> int:
        """Of one step."""
        return min(self.counts)

    @property
    def just_counted(self) -> bool:
        """Whether the last of the counted steps has just ended."""
        return self.entered == self.COUNTED

    def __enter__(self) -> StepFlops:
        if self.entered < self.COUNTED:
            self.running = 0
            self.stack.enter_context(torch.compiler.set_stance("force_eager"))
            self.stack.enter_context(_FlopCounter(self))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()
        if self.entered < self.COUNTED:
            self.counts.append(self.running)
        self.entered += 1


class _FlopCounter(TorchDispatchMode):
    def __init__(self, total: StepFlops) -> None:
        super().__init__()
        self.total = total

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.total.running += count(*args, **(kwargs or {}), out_val=result)
        return result


@torch.inference_mode()
def measure_peak(device: torch.device, precision: str) -> float:
    """Floating-point operations per second that the device reaches in the product of two large matrices.

    Args:
        precision: of the run; "bf16-mixed" multiplies in bf16.
    """
    side = 1024 if device.type == "cpu" else 8192
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    matrix = torch.full((side, side), 1e-3, device=device, dtype=dtype)
    _seconds(matrix)
    return 2.0 * side**3 / min(_seconds(matrix) for _ in range(5))


def _seconds(matrix: Tensor) -> float:
    started = time.perf_counter()
    product = matrix @ matrix
    float(product[0, 0])  # waits for the device
    return time.perf_counter() - started
