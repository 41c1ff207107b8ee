"""The device on which a network runs, and the name of the machine for provenance."""

from __future__ import annotations

import platform

import torch
from torch import Tensor

from lumiface.core import forks
from lumiface.core.errors import SettingError


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """A device by its name ("cpu", "cuda", "cuda:1", "mps"); "auto": the first GPU, or else the CPU.

    Raises:
        SettingError: there is no such device on this machine, or not in this process, which was forked.
    """
    forks.refuse_gpu(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(name, torch.device):
        return name
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        others = "cpu or cuda" if torch.cuda.is_available() else "cpu"
        raise SettingError(f"device {name} is not available ({reason}); try {others}") from error


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor to a device without waiting for it: from pinned memory if the device is a GPU."""
    device = torch.device(device)
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def machine_name(device: torch.device | str = "cpu") -> str:
    """The hardware behind a measurement: the GPU's name, or CPU and threads ("AMD EPYC, 1 thread")."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    threads = torch.get_num_threads()
    return f"{capabilities.get('cpu_name', platform.machine())}, {threads} thread{'s' if threads > 1 else ''}"
