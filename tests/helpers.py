"""What several tests share: random tensors, where the data lie, faces to train on, a run of two processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import BaseModel
from torch import Tensor

SHARED_DIR = Path(__file__).resolve().parents[2] / "shared"


Find = Callable[[str], Path]


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def finder(variable: str, default: Path) -> Find:
    folder = Path(os.environ.get(variable) or default)

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"{name} is absent from {folder} (set {variable} to the folder that has it)")
        return path

    return find


def psnr(output: Tensor, target: Tensor) -> float:
    return -10 * math.log10(F.mse_loss(output.clamp(0, 1), target).item())


def train_on_two(settings: BaseModel, data: Path, folder: Path) -> Path:
    """`lumiface train` in two processes, as on a machine with two GPUs; the run's folder."""
    folder.mkdir()
    config = folder / "config.yaml"
    config.write_text(settings.model_dump_json())  # JSON is YAML
    words = ["--data-root", data, "--out", folder / "run", "--accelerator", "cpu", "--devices", "2"]
    command = [sys.executable, "-m", "lumiface", "train", config, *words, "--threads", "1"]
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder / "run"


def write_crops(photo: np.ndarray, folder: Path, count: int, side: int) -> None:
    """Square pictures of about the same face, `side` pixels: 00.png, 01.png, ..."""
    for number in range(count):
        crop = photo[2 * number :, 110 + 5 * number :][:256, :256]
        Image.fromarray(crop).resize((side, side)).save(folder / f"{number:02}.png")
