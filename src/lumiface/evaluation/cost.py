"""What a network costs: parameters, floating-point operations, time and memory, each measured one way.

All for single faces of one size; on a GPU the kernels are waited for.
"""

from __future__ import annotations

import platform
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

REPEATS = 9


@dataclass(frozen=True, slots=True)
class Cost:
    """One network's cost for one face.

    Attributes:
        params: trained numbers.
        gflops: 10^9 floating-point operations of convolutions and matrix products; a multiply-add is two.
        ms_per_face: median time of a forward pass, batch of one, milliseconds.
        peak_mib: most memory that tensors held at once beyond the weights, MiB, in float32.
    """

    params: int
    gflops: float
    ms_per_face: float
    peak_mib: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def machine_name(device: torch.device | str = "cpu") -> str:
    """What a time was measured on: "AMD EPYC, 1 thread"."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    told = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return f"{told.get('cpu_name', platform.machine())}, {threads} thread{'s' if threads > 1 else ''}"


@torch.inference_mode()
def measure_cost(
    network: nn.Module, side: int, device: torch.device | str = "cpu", repeats: int = REPEATS
) -> Cost:
    """Cost of `network` for one face whose small side is `side` pixels.

    The time is only as good as the machine is idle; threads are torch's current number. The network is
    left in evaluation mode, its parameters frozen; `count_cost` leaves it so, too.
    """
    device = torch.device(device)
    network = network.to(device)
    run = _runner(network, _grey(side, device))
    run()
    with FlopCounterMode(display=False) as counter:
        run()
    times: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return Cost(
        params=sum(parameter.numel() for parameter in network.parameters()),
        gflops=counter.get_total_flops() / 1e9,
        ms_per_face=1000.0 * median(times),
        peak_mib=_peak_bytes(run, device) / 2**20,
    )


@torch.inference_mode()
def count_cost(network: nn.Module, side: int) -> tuple[float, float]:
    """`gflops` and `peak_mib` of `Cost` from a single pass on the CPU, which waits for no clock."""
    run = _runner(network, _grey(side, torch.device("cpu")))
    with FlopCounterMode(display=False) as counter, _LiveBytes() as live:
        run()
    return counter.get_total_flops() / 1e9, live.peak / 2**20


def _grey(side: int, device: torch.device) -> Tensor:
    # Grey with a gradient: classical enhancers branch on the picture, and black would be no picture.
    return torch.linspace(0.05, 0.3, side, device=device).expand(1, 3, side, side).contiguous()


def _runner(network: nn.Module, low: Tensor) -> Callable[[], None]:
    # Frozen: torch's counter looks for the gradients of what requires any, and inference has none.
    network.eval().requires_grad_(False)

    def run() -> None:
        network(low)
        if low.device.type == "cuda":
            torch.cuda.synchronize(low.device)

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
    """Adds up the storages that operations make, from their birth to their end; scratch inside a kernel is
    not seen."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {
            leaf.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._born(leaf, given)
        return result

    def _born(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        key: int = storage._cdata  # pyright: ignore[reportPrivateUsage]
        if key in self.known or key in given:  # a view, or written in place
            return
        size = storage.nbytes()
        self.known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._died, key, size)

    def _died(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.live -= size
