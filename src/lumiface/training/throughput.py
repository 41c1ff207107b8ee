"""Speed of a run relative to its device: FLOPs of a step, FLOPs per second that the device reaches."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lumiface.training.config import Compile


def maybe_compile(network: nn.Module, when: Compile, device: torch.device) -> nn.Module:
    """The network, or the same with a compiled forward pass; both share their weights.

    Each input size is compiled by itself: a batch has one of a few sizes, and kernels of symbolic sizes are
    slower and compiled once more when the second size occurs.
    """
    if when == "never" or (when == "gpu" and device.type == "cpu"):
        return network
    return torch.compile(network, dynamic=False)  # pyright: ignore[reportReturnType]


class FirstStepFlops(AbstractContextManager["FirstStepFlops"]):
    """Counts the floating-point operations of its first use as a context; later it does nothing.

    Forward and backward, all that torch has a count for: convolutions, matrix products, attention. A compiled
    network runs uncompiled while it is counted: a compiled kernel does not say what it holds.

    Attributes:
        flops: of the first step.
        just_counted: whether the first step has just ended.
    """

    def __init__(self) -> None:
        self.flops, self.uses = 0, 0
        self.stack = ExitStack()

    @property
    def just_counted(self) -> bool:
        return self.uses == 1

    def __enter__(self) -> FirstStepFlops:
        if self.uses == 0:
            self.stack.enter_context(torch.compiler.set_stance("force_eager"))
            self.stack.enter_context(_FlopCounter(self))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()
        self.uses += 1


class _FlopCounter(TorchDispatchMode):
    def __init__(self, total: FirstStepFlops) -> None:
        super().__init__()
        self.total = total

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.total.flops += count(*args, **(kwargs or {}), out_val=result)
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
