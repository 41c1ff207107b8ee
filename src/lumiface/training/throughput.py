"""How fast a run is beside what its device can do."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lumiface.training.config import Compile


def compiled(network: nn.Module, when: Compile, device: torch.device) -> nn.Module:
    """The network, or the same with a compiled forward pass; both share their weights."""
    if when == "never" or (when == "gpu" and device.type == "cpu"):
        return network
    return torch.compile(network)  # pyright: ignore[reportReturnType]


class FirstStepFlops(AbstractContextManager["FirstStepFlops"]):
    """Counts the floating-point operations of what is done in it the first time; later it does nothing.

    Forward and backward, all that torch has a count for: convolutions, products of matrices, attention.
    What is compiled runs uncompiled while it is counted: a compiled kernel does not say what it holds.

    Attributes:
        flops: of the first time.
        first: whether the first time is just over.
    """

    def __init__(self) -> None:
        self.flops, self.times = 0, 0
        self.open = ExitStack()

    @property
    def first(self) -> bool:
        return self.times == 1

    def __enter__(self) -> FirstStepFlops:
        if self.times == 0:
            self.open.enter_context(torch.compiler.set_stance("force_eager"))
            self.open.enter_context(_Counting(self))
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()
        self.times += 1


class _Counting(TorchDispatchMode):
    def __init__(self, seen: FirstStepFlops) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.seen.flops += count(*args, **(kwargs or {}), out_val=result)
        return result


@torch.inference_mode()
def measure_peak(device: torch.device, precision: str) -> float:
    """Floating-point operations a second that the device reaches in the product of two large matrices.

    Args:
        precision: of the run; "bf16-mixed" multiplies in bf16.
    """
    side, dtype = (1024, torch.float32) if device.type == "cpu" else (8192, torch.float32)
    if precision == "bf16-mixed":
        dtype = torch.bfloat16
    matrix = torch.full((side, side), 1e-3, device=device, dtype=dtype)
    _timed(matrix)
    return 2.0 * side**3 / min(_timed(matrix) for _ in range(5))


def _timed(matrix: Tensor) -> float:
    started = time.perf_counter()
    product = matrix @ matrix
    float(product[0, 0])  # waits for the device
    return time.perf_counter() - started
