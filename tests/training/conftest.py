"""Faces to train on, and a cache folder that is not the user's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def paired_faces(tmp_path_factory: pytest.TempPathFactory, astronaut_uint8: np.ndarray) -> Path:
    """Folder of eight square crops around the astronaut's face: two of 96 pixels, six of 64."""
    folder = tmp_path_factory.mktemp("faces")
    for number in range(8):
        crop = astronaut_uint8[20 + 4 * number :, 140 + 6 * number :][:160, :160]
        side = 96 if number < 2 else 64
        Image.fromarray(crop).resize((side, side)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that replaces the user's cache."""
    return tmp_path_factory.getbasetemp() / "cache"


@pytest.fixture(autouse=True)
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes and 3D priors of faces are cached by runs; in tests, not in the cache of the user."""
    monkeypatch.setattr("lumiface.data.training.cache.user_cache_path", lambda name: cache / name)
