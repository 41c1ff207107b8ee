"""Milliseconds of a list of kernels on a card: each is bound by its launch, its arithmetic or its traffic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from fake_gpu.counter import Kernel

LAUNCH = 4.5e-6
"""Seconds from one kernel's start to the next one's at best, when the host launches them one by one."""


@dataclass(frozen=True, slots=True)
class Card:
    """Peaks of the data sheet, without sparsity: FLOPs per second by type, bytes per second of the memory."""

    bf16: float
    tf32: float
    fp64: float
    bandwidth: float

    def peak(self, dtype: torch.dtype) -> float:
        """FLOPs per second of convolutions and matrix products; float32 is multiplied in TF32."""
        if dtype in (torch.bfloat16, torch.float16):
            return self.bf16
        return self.fp64 if dtype is torch.float64 else self.tf32


# NVIDIA H100 Tensor Core GPU data sheet and NVIDIA H200 Tensor Core GPU data sheet, SXM; half of the numbers
# with sparsity.
CARDS = {
    "H100": Card(bf16=989e12, tf32=495e12, fp64=67e12, bandwidth=3.35e12),
    "H200": Card(bf16=989e12, tf32=495e12, fp64=67e12, bandwidth=4.8e12),
}


def bound(kernel: Kernel, card: Card) -> tuple[float, str]:
    """Seconds of a kernel, and what bounds it: "launch", "arithmetic" or "memory"."""
    return max(
        (LAUNCH, "launch"),
        (kernel.flops / card.peak(kernel.dtype), "arithmetic"),
        (kernel.bytes / card.bandwidth, "memory"),
    )


def milliseconds(kernels: Iterable[Kernel], card: Card) -> dict[str, float]:
    """Time by what bounds it: {"launch", "arithmetic", "memory"} -> ms."""
    total = {"launch": 0.0, "arithmetic": 0.0, "memory": 0.0}
    for kernel in kernels:
        seconds, reason = bound(kernel, card)
        total[reason] += 1e3 * seconds
    return total
