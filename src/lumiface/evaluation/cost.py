"""Cost of a network per face: parameters, floating-point operations, time and memory.

All for a batch of one; on a GPU the time includes the kernels' end. A network that calls one part many times
in sequence, as diffusion does, is run with one call and with two: every further call costs the difference.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

Measured = TypeVar("Measured")

REPEATS = 9

MANY_CALLS = 20
"""Sequential calls of one part from which the cost is computed instead of measured."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One network's cost per face.

    Attributes:
        params: number of parameters.
        gflops: 10^9 floating-point operations of convolutions and matrix products; a multiply-add is two.
        ms_per_face: median time of a forward pass, batch of one, milliseconds.
        peak_mib: peak memory of tensors beyond the weights, MiB, in float32.
    """

    params: int
    gflops: float
    ms_per_face: float
    peak_mib: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@torch.inference_mode()
def measure_cost(
    network: nn.Module, side: int, device: torch.device | str = "cpu", repeats: int = REPEATS
) -> Cost:
    """Cost of `network` for one input of `side` pixels per side.

    The time is valid only on an idle machine; the number of threads is torch's. The network is left in
    evaluation mode with frozen parameters; so does `count_cost` leave it.
    """
    device = torch.device(device)
    network = network.to(device)
    if _calls(network) > MANY_CALLS:
        one, two = _one_and_two_calls(network, lambda: measure_cost(network, side, device, repeats))
        more = _calls(network) - 1
        return replace(
            two,
            gflops=one.gflops + more * (two.gflops - one.gflops),
            ms_per_face=one.ms_per_face + more * (two.ms_per_face - one.ms_per_face),
        )
    run = _runner(network, _dark_ramp(side, device))
    run()
    with FlopCounterMode(display=False) as counter:
        run()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return Cost(
        params=sum(parameter.numel() for parameter in network.parameters()),
        gflops=counter.get_total_flops() / 1e9,
        ms_per_face=1000.0 * median(times),
        peak_mib=_peak_bytes(run, device) / 2**20,
    )


@torch.inference_mode()
def count_cost(network: nn.Module, side: int) -> tuple[float, float]:
    """`gflops` and `peak_mib` of `Cost` from a single pass on the CPU, without timing."""
    if _calls(network) > MANY_CALLS:
        (one, _), (two, peak) = _one_and_two_calls(network, lambda: count_cost(network, side))
        return one + (_calls(network) - 1) * (two - one), peak
    run = _runner(network, _dark_ramp(side, torch.device("cpu")))
    with FlopCounterMode(display=False) as counter, _LiveBytes() as live:
        run()
    return counter.get_total_flops() / 1e9, live.peak / 2**20


def _calls(network: Any) -> int:
    """Sequential calls of the part that a network calls most often; 1 for all that do not say so."""
    return getattr(network, "sequential_calls", 1)


def _one_and_two_calls(network: Any, measure: Callable[[], Measured]) -> tuple[Measured, Measured]:
    found: list[Measured] = []
    for number in (1, 2):
        with network.fewer_calls(number):
            found.append(measure())
    return found[0], found[1]


def _dark_ramp(side: int, device: torch.device) -> Tensor:
    # Not a constant: classical enhancers branch on the image, and black would be degenerate.
    return torch.linspace(0.05, 0.3, side, device=device).expand(1, 3, side, side).contiguous()


def _runner(network: nn.Module, inputs: Tensor) -> Callable[[], None]:
    # Frozen: torch's counter expects gradients of what requires them, and inference has none.
    network.eval().requires_grad_(False)

    def run() -> None:
        network(inputs)
        if inputs.device.type == "cuda":
            torch.cuda.synchronize(inputs.device)

    return run


def _peak_bytes(run: Callable[[], None], device: torch.device) -> int:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    with _LiveBytes() as live:
        run()
    return live.peak


class _LiveBytes(TorchDispatchMode):
    """Adds up the storages that operations allocate, until they are freed; memory inside a kernel is not
    included."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self.tracked: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = {
            leaf.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._add(leaf, inputs)
        return result

    def _add(self, tensor: Tensor, inputs: set[int]) -> None:
        storage = tensor.untyped_storage()
        key: int = storage._cdata  # pyright: ignore[reportPrivateUsage]
        if key in self.tracked or key in inputs:  # a view, or written in place
            return
        size = storage.nbytes()
        self.tracked.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self.tracked.discard(key)
        self.live -= size
