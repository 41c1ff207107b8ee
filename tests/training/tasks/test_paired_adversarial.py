"""A recipe with a discriminator on the paired task: two networks, two steps, exact resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from example_runs import paired_config, run_training
from lumiface.core.errors import SettingError
from lumiface.training.checkpoint import load_state
from lumiface.training.config import TrainConfig


def config(**changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "method": "enlightengan",
        "network": {"channels": 4, "halvings": 2},
        "recipe": {"discriminator_channels": 4, "patch": 16},
        "task": "frr",
        "sizes": [{"side": 16, "weight": 1.0}],
        "steps": 4,
        "save_every": 2,
    }
    return paired_config(**(settings | changes))


def test_both_networks_are_trained_and_a_stopped_run_resumes_bit_for_bit(
    paired_faces: Path, tmp_path: Path
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run_training(config(), whole, paired_faces)
    run_training(config(), stopped, paired_faces, max_steps=2)
    early, _ = load_state(stopped / "state.safetensors")
    run_training(config(), stopped, paired_faces)
    late, _ = load_state(stopped / "state.safetensors")
    assert set(late["networks"]) == {"network", "discriminator"}
    for name, weights in late["networks"].items():
        moved = [
            key for key, value in weights.items() if not torch.equal(value, early["networks"][name][key])
        ]
        assert moved, name
    for name in ("last", "state"):
        one, other = (load_file(folder / f"{name}.safetensors") for folder in (whole, stopped))
        assert one.keys() == other.keys()
        assert [key for key in one if not torch.equal(one[key], other[key])] == []


def test_one_face_has_no_other_face_to_be_compared_with(paired_faces: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="two faces or more"):
        run_training(config(batch=1), tmp_path / "run", paired_faces)
