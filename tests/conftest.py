"""Fixtures of all tests: the astronaut, and data or weights beside the checkout; one CPU thread."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import SHARED_DIR, Find, finder

torch.set_num_threads(1)
os.environ.setdefault("LUMIFACE_RUNTIME", "torch")  # `auto` would try the engines of this machine
# As in continuous integration: losses and metrics find their weights beside the checkout, if they are there.
if (SHARED_DIR / "weights").is_dir():
    os.environ.setdefault("LUMIFACE_ASSETS", str(SHARED_DIR / "weights"))


@pytest.fixture(scope="session")
def shared_data() -> Find:
    """`shared_data("faces256-test.tar")` -> its path, or the test is skipped with the file's name."""
    return finder("LUMIFACE_DATA", SHARED_DIR / "data")


@pytest.fixture(scope="session")
def shared_asset() -> Find:
    """`shared_asset("lpips_squeeze.pt")` -> its path, or the test is skipped with the file's name."""
    return finder("LUMIFACE_ASSETS", SHARED_DIR / "weights")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of handed inputs, or the test is skipped with its name."""
    folder = Path(os.environ.get("LUMIFACE_CASES") or SHARED_DIR / "cases")
    if not folder.is_dir():
        pytest.skip(f"the folder of handed inputs is absent: {folder} (LUMIFACE_CASES names another)")
    return folder


@pytest.fixture(scope="session")
def astronaut_uint8() -> np.ndarray:
    """(512, 512, 3) uint8: Eileen Collins, NASA, public domain; part of scikit-image."""
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
    """(1, 3, 128, 128), darkened and rounded to 8 bits; and the original."""
    bright = F.interpolate(astronaut, scale_factor=0.25, mode="area")
    return (0.4 * bright**1.6 * 255).round() / 255, bright
