"""Adversarial runs that start from another run's discriminator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from example_runs import cpu_fabric, run_training
from helpers import Find, write_crops
from lumiface.core.errors import InputError, SettingError
from lumiface.training.checkpoint import load_state
from lumiface.training.context import TaskContext
from lumiface.training.discriminator_weights import (
    DISCRIMINATOR_FILE,
    load_discriminator,
    save_discriminator,
)
from lumiface.training.tasks.stylegan2 import StyleGAN2Run, StyleGAN2Task


@pytest.fixture
def faces(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    (tmp_path / "faces").mkdir()
    write_crops(astronaut_uint8, tmp_path / "faces", 12, 32)
    return tmp_path / "faces"


def config(**changes: Any) -> StyleGAN2Run:
    size = {"resolution": 32, "latent": 16, "mapping": 2, "channel_base": 256, "max_channels": 16}
    settings: dict[str, Any] = {
        "name": "trial",
        "component": "stylegan2-64",
        "network": size,
        "recipe": {"path_length_every": 2, "augment": {"images": 20, "target": 0.0}},
        "train": ["{data}"],
        "validate_on": "{data}",
        "batch": 4,
        "steps": 4,
        "warmup": 0,
        "num_fid_samples": 10,
        "validate_every": 1000,
    }
    return StyleGAN2Run(**(settings | changes))


def weights_of(task: StyleGAN2Task) -> dict[str, Tensor]:
    return task.discriminator.state_dict()


def test_a_run_goes_on_from_another_ones_discriminator(faces: Path, tmp_path: Path) -> None:
    run_training(config(), tmp_path / "first", faces)
    trained = load_state(tmp_path / "first" / "state.safetensors")[0]
    half, full = tmp_path / "first" / DISCRIMINATOR_FILE, tmp_path / "first" / "state.safetensors"
    for source in (half, full):
        task = StyleGAN2Task(config(discriminator_from=str(source)), TaskContext(cpu_fabric(), str(faces)))
        for key, value in trained["networks"]["discriminator"].items():
            expected = value if source == full else value.half().float()
            assert torch.equal(weights_of(task)[key], expected), key
        # The probability of augmentation and the mean path length go on as well.
        for key, value in trained["task"].items():
            assert torch.equal(task.state_dict()[key], value), key
        assert task.recipe.mean_path > 0
    assert {value.dtype for key, value in load_file(half).items() if key.startswith("networks")} == {
        torch.float16
    }
    result = run_training(config(discriminator_from=str(half)), tmp_path / "second", faces, max_steps=1)
    assert result.step == 1


def test_files_with_old_names_are_read(faces: Path, tmp_path: Path) -> None:
    task = StyleGAN2Task(config(), TaskContext(cpu_fabric(), str(faces)))
    renamed = {"logit": "ver" + "dict", "from_rgb": "from_colour"}
    old: dict[str, Tensor] = {}
    for key, value in weights_of(task).items():
        first, rest = key.split(".", 1)
        old[f"networks/{'cri' + 'tic'}/{renamed.get(first, first)}.{rest}"] = (value + 1.0).half()
    save_file(old, tmp_path / "old.safetensors")
    before = {key: value.clone() for key, value in weights_of(task).items()}
    assert load_discriminator(task.discriminator, tmp_path / "old.safetensors") == {}
    for key, value in before.items():
        assert torch.equal(weights_of(task)[key], (value + 1.0).half().float()), key


def test_files_that_do_not_fit_are_refused(faces: Path, tmp_path: Path) -> None:
    task = StyleGAN2Task(config(), TaskContext(cpu_fabric(), str(faces)))
    with pytest.raises(InputError, match=r"gone\.safetensors: no discriminator can be read"):
        load_discriminator(task.discriminator, tmp_path / "gone.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors holds no discriminator; name a run's"):
        load_discriminator(task.discriminator, tmp_path / "other.safetensors")
    save_discriminator(tmp_path / "small.safetensors", torch.nn.Linear(2, 1), {})
    with pytest.raises(InputError, match="its discriminator has another size"):
        load_discriminator(task.discriminator, tmp_path / "small.safetensors")
    with pytest.raises(SettingError, match="the recipe has no adversarial loss"):
        TaskContext(cpu_fabric()).init_discriminator(None, "any")
