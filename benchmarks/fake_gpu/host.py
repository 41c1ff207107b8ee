"""What the host needs for one operation: Python, autograd, dispatcher, and the start of a kernel."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

BLOCKS, WIDTH, SIDE = 12, 8, 4
REPEATS = 40


class _Block(nn.Module):
    """Operations of many kinds on a few values."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(2))
        self.norm, self.gate = nn.GroupNorm(2, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(nn.functional.silu(self.first(self.norm(x))))
        return x + y * self.gate(y.mean(dim=(2, 3))).sigmoid()[:, :, None, None]


class _Counter(TorchDispatchMode):
    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        return func(*args, **(kwargs or {}))


@cache
def seconds_per_operation() -> float:
    """The processor's time of a small step on the CPU, forward, backward and Adam, for each operation.

    Its tensors have some hundred values, so that the kernels themselves, which a GPU would run, take about as
    long as their launch would. The fastest of some steps, on one thread; a faster processor needs less.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            network = nn.Sequential(*(_Block() for _ in range(BLOCKS)))
            image = torch.rand(1, WIDTH, SIDE, SIDE)
        optimizer = torch.optim.Adam(network.parameters(), foreach=True)

        def step() -> float:
            started = time.thread_time()
            optimizer.zero_grad()
            network(image).square().mean().backward()
            optimizer.step()
            return time.thread_time() - started

        step()
        with _Counter() as counter:
            step()
        return min(step() for _ in range(REPEATS)) / counter.operations
    finally:
        torch.set_num_threads(threads)
