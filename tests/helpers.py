"""Helpers of several tests: random tensors, data outside the checkout, faces, a run in two processes."""

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
"""Data and weights beside the checkout, where there are any."""
Find = Callable[[str], Path]
"""A file's name -> its path; the test is skipped where it is absent."""


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uniform in [0, 1)."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def finder(variable: str, default: Path) -> Find:
    """Finds files in the folder that an environment variable names."""
    folder = Path(os.environ.get(variable) or default)

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"{name} is absent from {folder} (set {variable} to the folder that has it)")
        return path

    return find


def psnr(output: Tensor, target: Tensor) -> float:
    """In dB, of images in [0, 1]."""
    return -10 * math.log10(F.mse_loss(output.clamp(0, 1), target).item())


def train_on_two(settings: BaseModel, data: Path, folder: Path) -> Path:
    """`lumiface train` in two processes, as on a machine with two GPUs; returns the run's folder."""
    folder.mkdir()
    config = folder / "config.yaml"
    config.write_text(settings.model_dump_json())  # JSON is YAML
    options = ["--data-root", data, "--out", folder / "run", "--accelerator", "cpu", "--devices", "2"]
    command = [sys.executable, "-m", "lumiface", "train", config, *options, "--threads", "1"]
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return folder / "run"


def write_crops(photo: np.ndarray, folder: Path, count: int, side: int) -> None:
    """Square crops of one face, shifted a little, `side` pixels: 00.png, 01.png, ..."""
    for number in range(count):
        crop = photo[2 * number :, 110 + 5 * number :][:256, :256]
        Image.fromarray(crop).resize((side, side)).save(folder / f"{number:02}.png")
