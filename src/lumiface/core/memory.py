"""How much memory is free, where the system tells."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

GB = 1e9

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of a container, in version 2 and 1 of Linux's control groups."""


def release_memory() -> None:
    """Give freed memory back to the system, where the C library keeps it for later (glibc).

    After many small tensors it keeps some hundred megabytes, which a large picture needs.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def free_memory(device: torch.device) -> float | None:
    """Bytes that a device can still give; None where that is not known.

    Of the CPU, what Linux calls available, or less where a container has a limit.
    """
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    available = _available()
    for limit, used in _CGROUPS:
        most, now = _number(limit), _number(used)
        if available is not None and most is not None and now is not None:
            available = min(available, max(0.0, most - now))
    return available


def _available() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return float(found[0]) * 1024 if found else None


def _number(path: str) -> float | None:
    try:
        return float(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
