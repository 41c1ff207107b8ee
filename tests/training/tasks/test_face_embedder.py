"""Training the face embedder: the teacher is asked once, and runs resume bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from example_runs import run_training
from helpers import Find, write_crops
from lumiface.registry import load_model
from lumiface.training.checkpoint import load_state
from lumiface.training.tasks import face_embedder
from lumiface.training.tasks.face_embedder import FaceEmbedderRun


@pytest.fixture
def faces(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Six crops of one face, and a cache of their own."""
    shared_asset("mobilefacenet.pt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "faces").mkdir()
    write_crops(astronaut_uint8, tmp_path / "faces", 6, 128)
    return tmp_path


def config(**changes: Any) -> FaceEmbedderRun:
    settings: dict[str, Any] = {
        "name": "trial",
        "component": "face-embedder",
        "network": {"widths": (8, 8, 16), "blocks": (0, 0, 1)},
        "train": ["{data}/faces"],
        "validate_on": "{data}/faces",
        "validate_faces": 4,
        "batch": 4,
        "steps": 4,
        "warmup": 1,
        "lr": 2e-3,
        "validate_every": 2,
        "save_every": 2,
    }
    return FaceEmbedderRun(**(settings | changes))


def test_a_stopped_run_ends_like_one_that_was_not(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_training(config(), faces / "whole", faces)
    assert (result.step, result.monitor) == (4, "cosine")
    assert -1.0 <= result.best <= 1.0

    def taught_twice(*_: object) -> None:
        raise AssertionError("the teacher's embeddings were not kept")

    monkeypatch.setattr(face_embedder.FaceEmbedderTask, "_teach", taught_twice)
    run_training(config(), faces / "parts", faces, max_steps=2)
    run_training(config(), faces / "parts", faces)
    one, other = (load_state(faces / name / "state.safetensors")[0] for name in ("whole", "parts"))
    for name, value in one["networks"]["embedder"].items():
        assert torch.equal(value, other["networks"]["embedder"][name]), name
    network = load_model(result.weights, kind="face-embedder")
    assert network(torch.rand(2, 3, 112, 112)).shape == (2, 128)
