"""Training the generator: turns, what is remembered, and runs that stop and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from PIL import Image

from helpers import Find, train_on_two, write_crops
from lumiface.core.errors import InputError
from lumiface.registry import load_component
from lumiface.training.checkpoint import load_state
from lumiface.training.context import TaskContext
from lumiface.training.ema import EMA
from lumiface.training.lr_schedule import learning_rate
from lumiface.training.part_config import StyleGAN2Run
from lumiface.training.read_config import find_config, read_config
from lumiface.training.run import start
from lumiface.training.task import Limits, TrainResult, TrainState
from lumiface.training.tasks.stylegan2 import StyleGAN2Task


@pytest.fixture
def faces(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Twelve crops of 48 pixels."""
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    folder = tmp_path / "faces"
    folder.mkdir()
    write_crops(astronaut_uint8, folder, 12, 48)
    return folder


def config(**changes: Any) -> StyleGAN2Run:
    settings: dict[str, Any] = {
        "name": "trial",
        "component": "stylegan2-64",
        "network": {"resolution": 32, "latent": 16, "mapping": 2, "channel_base": 256, "max_channels": 16},
        "recipe": {"r1_every": 2, "path_every": 2, "augment": {"images": 20}},
        "train": ["{data}"],
        "validate_on": "{data}",
        "batch": 4,
        "steps": 4,
        "lr": 2e-3,
        "warmup": 0,
        "schedule": "constant",
        "clip": 1000.0,
        "num_fid_samples": 12,
        "validate_every": 2,
        "save_every": 1,
    }
    return StyleGAN2Run(**(settings | changes))


def run(folder: Path, faces: Path, **limits: Any) -> TrainResult:
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return start(config(), folder, fabric, data_root=str(faces), limits=Limits(**limits))


def test_a_stopped_run_ends_with_the_same_bits(faces: Path, tmp_path: Path) -> None:
    straight = run(tmp_path / "whole", faces)
    run(tmp_path / "parted", faces, max_steps=2)
    resumed = run(tmp_path / "parted", faces)
    assert (straight.step, straight.best) == (resumed.step, resumed.best)
    assert straight.best < 0  # a distance, turned round
    states = [load_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parted")]
    for part in ("networks", "lesson"):
        for name, values in states[0][part].items():
            for key, value in values.items() if isinstance(values, dict) else ((name, values),):
                other = states[1][part][name]
                assert torch.equal(value, other[key] if isinstance(other, dict) else other), (name, key)
    assert states[0]["lesson"]["mean_path"] > 0
    generator: Any = load_component(tmp_path / "whole" / "last.safetensors", "stylegan2")
    assert generator.w_avg.abs().max() > 0
    with torch.no_grad():
        assert generator(torch.randn(2, 16), generator.sample_noise(2, torch.Generator())).shape == (
            2,
            3,
            32,
            32,
        )


@pytest.mark.slow
def test_two_processes_train_as_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == 4


def test_whose_turn_it_is(faces: Path) -> None:
    lesson = StyleGAN2Task(config(), TaskContext(Fabric(accelerator="cpu", devices=1), str(faces)))
    pupils = TrainState(
        dict(lesson.networks), {name: EMA(part, 0.9) for name, part in lesson.networks.items()}
    )
    costly = [(name, *parts) for name, parts, _ in lesson.turns(pupils, 0)]
    assert costly == [
        ("critic", "critic"),
        ("critic", "r1"),
        ("generator", "generator"),
        ("generator", "path"),
    ]
    assert [name for name, _, _ in lesson.turns(pupils, 1)] == ["critic", "generator"]
    late = StyleGAN2Task(
        config(recipe={"discriminator_warmup_steps": 2}), TaskContext(Fabric(accelerator="cpu"), str(faces))
    )
    alone = [[name for name, _, _ in late.turns(pupils, step)] for step in (1, 2)]
    assert alone == [["critic"], ["critic", "generator"]]
    # No gradient of the critic's turn reaches the generator.
    turns = lesson.turns(pupils, 1)
    _, parts, _ = next(turns)
    parts["critic"].backward()
    assert all(parameter.grad is None for parameter in lesson.generator.parameters())


def test_codes_are_mixed(faces: Path) -> None:
    lesson = StyleGAN2Task(config(), TaskContext(Fabric(accelerator="cpu", devices=1), str(faces)))
    codes = lesson.recipe.codes(lesson.generator, 200, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert codes.shape == (200, 8, 16)
    mixed = (codes[:, 0] != codes[:, -1]).any(dim=1).float().mean().item()
    assert mixed == pytest.approx(0.9, abs=0.06)


def test_the_shipped_configuration_is_a_generator_s() -> None:
    shipped = read_config(find_config("stylegan2-128"))
    assert isinstance(shipped, StyleGAN2Run)
    assert learning_rate(0, shipped) == learning_rate(19_999, shipped) == 2e-3


def test_faces_of_several_sizes_are_brought_to_one(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "larger").mkdir()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "larger" / "red.png")
    place = TaskContext(Fabric(accelerator="cpu", devices=1), str(tmp_path))
    both = place.faces([str(faces), "{data}/larger"], side=40)
    assert both.shape == (13, 3, 40, 40)
    assert torch.equal(both[-1, :, 20, 20], torch.tensor([255, 0, 0], dtype=torch.uint8))
    assert len(place.faces([str(faces), "{data}/larger"], side=40, limit=3)) == 3
    with pytest.raises(InputError, match="faces have 48 pixels; the run needs 64"):
        place.faces([str(faces)], side=64)
