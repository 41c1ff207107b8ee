"""What a step asks of the device: kernels with their arithmetic and memory traffic, and waits of the host."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

import lumiface

FREE = frozenset(
    {
        *("empty", "empty_strided", "empty_like", "empty_permuted", "new_empty", "new_empty_strided"),
        *("detach", "detach_", "alias", "lift", "lift_fresh", "_unsafe_view", "_reshape_alias"),
        *("set_", "resize_"),
    }
)
"""Operations that start no kernel although they are not views: allocation and metadata."""

_PACKAGE = f"{Path(lumiface.__file__).parent}/"
_NO_PLACES = tuple(f"{_PACKAGE}{file}" for file in ("training/throughput.py", "core/draws.py"))
"""Files that forward operations: not the places at which these are called."""


class HostWait(NamedTuple):
    """A place at which the host waits for all that is queued on the device.

    Attributes:
        kind: "read" of a value (`item`, `float`, `bool`); "size" of a result that depends on values
            (`nonzero`, a boolean index); "download", a copy to the CPU; "upload", a copy from memory that is
            not pinned, or a blocking one.
        place: file and line of the innermost frame in lumiface.
    """

    kind: str
    place: str


@dataclass(slots=True)
class Kernel:
    """One operation on the device. Fused and foreach operations count once.

    Attributes:
        name: of the operation, without overload.
        place: file and line of the innermost frame in lumiface; of a backward pass, its call.
        flops: multiplications and additions of convolutions, matrix products and attention; otherwise 0.
        bytes: of all tensors that it reads and writes.
        dtype: of its first tensor.
    """

    name: str
    place: str
    flops: float
    bytes: float
    dtype: torch.dtype


class StepCounter:
    """Records the operations of a step; `FakeDevice` and `PythonEngine` report to it.

    Attributes:
        kernels, waits: since the last `reset`.
        pinned: copies to the device for which nothing waits, by place.
    """

    def __init__(self) -> None:
        self.nodes: list[list[_Operation]] = []
        self.is_paused = False
        self.reset()

    def reset(self) -> None:
        self.kernels: list[Kernel] = []
        self.waits: list[HostWait] = []
        self.pinned: list[str] = []

    @contextmanager
    def paused(self) -> Generator[None]:
        """Within, nothing is counted."""
        before, self.is_paused = self.is_paused, True
        try:
            yield
        finally:
            self.is_paused = before

    def __call__(self, func: Any, args: Any, kwargs: Any, result: Any, kind: str) -> None:
        if self.is_paused:
            return
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        kernel = None
        if kind == "pinned":
            self.pinned.append(_place())
        elif kind != "kernel":
            self.waits.append(HostWait(kind, _place()))
        if kind in ("kernel", "size") and not _is_free(func, outputs or inputs):
            kernel = Kernel(
                func.overloadpacket.__name__,
                _place(),
                _flops(func, args, kwargs, result),
                float(sum(_num_bytes(tensor) for tensor in (*inputs, *outputs))),
                (inputs or outputs)[0].dtype,
            )
            self.kernels.append(kernel)
        if self.nodes:
            self.nodes[-1].append(_Operation(kernel, func, args, kwargs, result, inputs, outputs))

    def begin_node(self) -> None:
        self.nodes.append([])

    def end_node(self, used: list[Tensor] | None) -> None:
        """Forget the kernels of the node since `begin_node` on which none of the used results depends.

        Torch's engine tells a node which gradients are wanted; one called from Python computes all.
        """
        operations = self.nodes.pop()
        if used is None:
            return
        live = {id(tensor) for tensor in used}
        dead: set[int] = set()
        for operation in reversed(operations):
            if any(id(output) in live for output in operation.outputs):
                _leave_out(operation, live)
                live |= {id(tensor) for tensor in operation.inputs}
            else:
                dead.add(id(operation.kernel))
        self.kernels = [kernel for kernel in self.kernels if id(kernel) not in dead]


class _Operation(NamedTuple):
    """One operation of a node of the graph; without a kernel, if it is a view."""

    kernel: Kernel | None
    func: Any
    args: Any
    kwargs: Any
    result: Any
    inputs: list[Tensor]
    outputs: list[Tensor]


def _leave_out(operation: _Operation, live: set[int]) -> None:
    """Take from the backward pass of a convolution the gradients that are not used."""
    if (kernel := operation.kernel) is None or kernel.name != "convolution_backward":
        return
    mask = [id(output) in live for output in operation.result]
    kernel.flops = _flops(operation.func, (*operation.args[:10], mask), {}, operation.result)
    kernel.bytes -= sum(_num_bytes(output) for output in operation.outputs if id(output) not in live)


def _flops(func: Any, args: Any, kwargs: Any, result: Any) -> float:
    count: Any = flop_registry.get(func.overloadpacket)
    return float(count(*args, **kwargs, out_val=result)) if count else 0.0


def _is_free(func: Any, results: list[Tensor]) -> bool:
    """Whether an operation starts no kernel."""
    name = func.overloadpacket.__name__
    return func.is_view or name in FREE or not any(tensor.numel() for tensor in results)


def _num_bytes(tensor: Tensor) -> int:
    """Bytes that are read or written; an expanded tensor is read once."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def _place() -> str:
    """File and line of the innermost frame in lumiface that does not only forward."""
    frame: Any = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        path: str = frame.f_code.co_filename
        if path.startswith(_PACKAGE) and not path.startswith(_NO_PLACES):
            return f"{path[len(_PACKAGE) :]}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"
