"""Small training runs that several tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric import Fabric

from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.run import train
from lumiface.training.task import Limits, TrainResult

STEPS = 10
"""Of `paired_config`."""


def cpu_fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision="32-true")


def run_training(config: RunConfig, folder: Path, data: Path, **limits: Any) -> TrainResult:
    """Train or resume in one process on the CPU; `limits` are those of `Limits`."""
    return train(config, folder, cpu_fabric(), data_root=str(data), limits=Limits(**limits))


def paired_config(**changes: Any) -> TrainConfig:
    """A tiny LFSRNet on faces of 64 and 96 pixels: ten steps, a state every three, validation every four."""
    settings: dict[str, Any] = {
        "name": "trial",
        "method": "lfsrnet",
        "network": {"channels": 16, "blocks": 1, "upsampler": "resize"},
        "train": ["{data}"],
        "validate_on": "{data}",
        "hr_size": 64,
        "sizes": [{"side": 16, "weight": 0.7}, {"side": 24, "weight": 0.3}],
        "batch": 4,
        "steps": STEPS,
        "lr": 1e-3,
        "warmup": 2,
        "rotate": True,
        "validate_every": 4,
        "save_every": 3,
    }
    return TrainConfig(**(settings | changes))
