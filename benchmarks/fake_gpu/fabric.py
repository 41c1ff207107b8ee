"""Fabric on a CUDA device that is not there."""

from __future__ import annotations

from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.accelerators.cpu import CPUAccelerator
from lightning.fabric.plugins.precision import Precision
from lightning.fabric.strategies.single_device import SingleDeviceStrategy

from fake_gpu.placement import CUDA
from lumiface.training.precision import Autocast


def fake_fabric(precision: str, progress: float) -> Fabric:
    """As `training.launch` makes it for one GPU.

    Args:
        precision: "bf16-mixed", or float32.
        progress: of the run, 0 to 1, at which it stays.
    """
    plugin: Any = Autocast() if precision == "bf16-mixed" else Precision()
    strategy = _Strategy(CUDA, precision=plugin)
    strategy.progress = progress
    return Fabric(accelerator=_Accelerator(), strategy=strategy, devices=1)


class _Accelerator(CPUAccelerator):
    """Sets up no device."""

    def setup_device(self, device: torch.device) -> None:
        pass


class _Strategy(SingleDeviceStrategy):
    """One device; the run is always as far as `progress`."""

    progress = 0.0

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        return (self.progress, False) if isinstance(obj, tuple) else obj
