"""What every test may ask for: one thread, the astronaut, and data or weights beside the checkout."""

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

BESIDE = Path(__file__).resolve().parents[2] / "shared"
Find = Callable[[str], Path]

torch.set_num_threads(1)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def _finder(variable: str, default: Path) -> Find:
    folder = Path(os.environ.get(variable) or default)

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"{name} is absent from {folder} (set {variable} to the folder that has it)")
        return path

    return find


def psnr(output: Tensor, target: Tensor) -> float:
    return -10 * math.log10(F.mse_loss(output.clamp(0, 1), target).item())


@pytest.fixture(scope="session")
def shared_data() -> Find:
    """`shared_data("faces256-test.tar")` → its path, or the test is skipped, naming the file."""
    return _finder("LUMIFACE_DATA", BESIDE / "data")


@pytest.fixture(scope="session")
def shared_asset() -> Find:
    """`shared_asset("lpips_squeeze.pt")` → its path, or the test is skipped, naming the file."""
    return _finder("LUMIFACE_ASSETS", BESIDE / "weights")


@pytest.fixture(scope="session")
def astronaut_uint8() -> np.ndarray:
    """(512, 512, 3) uint8: Eileen Collins, NASA, public domain; comes with scikit-image."""
    from skimage import data

    picture = data.astronaut()
    picture.setflags(write=False)
    return picture


@pytest.fixture
def astronaut(astronaut_uint8: np.ndarray) -> Tensor:
    """(1, 3, 512, 512) float32 in [0, 1], fresh for each test."""
    return torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].float().div_(255.0).contiguous()


@pytest.fixture
def dark(astronaut: Tensor) -> tuple[Tensor, Tensor]:
    """(1, 3, 128, 128), darkened and on the 8-bit grid, and what it was."""
    bright = F.interpolate(astronaut, scale_factor=0.25, mode="area")
    return (0.4 * bright**1.6 * 255).round() / 255, bright


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
