"""A run whose state was written before parts, networks and layers were renamed is resumed.

`old_state` holds a run of StyleGAN2 at 16 pixels on noise: its configuration and its state after two of four
steps, and the networks' weights at the end of the uninterrupted run, all written by the earlier version.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from example_runs import cpu_fabric, run_training
from lumiface.blocks.old_keys import current_keys
from lumiface.core.errors import SettingError
from lumiface.registry import load_model
from lumiface.training.checkpoint import load_state
from lumiface.training.config import RunConfig
from lumiface.training.context import TaskContext
from lumiface.training.read_config import read_config
from lumiface.training.tasks.stylegan2 import StyleGAN2Run, StyleGAN2Task

OLD = Path(__file__).with_name("old_state")


class MeanColour(nn.Module):
    """Stands for SqueezeNet's features, as when the run was made: its weights are not on every machine."""

    def __init__(self, network: str) -> None:
        super().__init__()

    def features(self, images: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    monkeypatch.setattr("lumiface.training.tasks.sample_distance.FrechetDistance", MeanColour)
    return read_config(OLD / "config.json")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The training faces: noise."""
    folder = tmp_path / "data"
    folder.mkdir()
    faces = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    for number, face in enumerate(faces):
        Image.fromarray(face).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of the run that was stopped."""
    folder = tmp_path / "run"
    folder.mkdir()
    packed = (OLD / "state.safetensors.gz").read_bytes()
    (folder / "state.safetensors").write_bytes(gzip.decompress(packed))
    return folder


def final_weights(network: nn.Module, old_name: str) -> dict[str, Tensor]:
    """Of one network at the end of the uninterrupted run, under current keys."""
    prefix = f"networks/{old_name}/"
    weights = load_file(OLD / "final.safetensors")
    return current_keys(
        network, {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
    )


def test_an_old_run_is_resumed_to_the_same_weights(config: RunConfig, data: Path, run: Path) -> None:
    assert isinstance(config, StyleGAN2Run)
    result = run_training(config, run, data)
    assert result.step == config.steps == 4
    assert result.best == pytest.approx(-0.97349, abs=1e-4)
    networks = StyleGAN2Task(config, TaskContext(cpu_fabric(), str(data))).networks
    resumed = load_state(run / "state.safetensors")[0]["networks"]
    assert set(resumed) == {"generator", "discriminator"}
    for name, old_name in (("generator", "generator"), ("discriminator", "critic")):
        expected = final_weights(networks[name], old_name)
        assert resumed[name].keys() == expected.keys()
        for key, value in expected.items():  # equal bit for bit on the machine that made them
            torch.testing.assert_close(resumed[name][key], value, atol=1e-6, rtol=1e-5)
    generator: Any = load_model(run / "last.safetensors", kind="stylegan2")
    assert generator.config.channel_base == 256


def test_names_of_an_old_state_become_the_current_ones(config: RunConfig, data: Path, run: Path) -> None:
    networks = StyleGAN2Task(config, TaskContext(cpu_fabric(), str(data))).networks
    parts, facts = load_state(run / "state.safetensors", networks=networks)
    assert set(parts) == {"networks", "optimizers", "ema", "task"}
    assert facts["step"] == 2
    for part in ("networks", "optimizers", "ema"):
        assert set(parts[part]) == {"generator", "discriminator"}
    for part in ("networks", "ema"):
        for name, network in networks.items():
            assert list(parts[part][name]) == list(network.state_dict())
    assert set(parts["task"]) == {"p", "mean_path"}


def test_an_old_state_of_another_network_is_refused(data: Path, run: Path, config: RunConfig) -> None:
    wider = config.model_copy(update={"network": config.model_dump()["network"] | {"max_channels": 16}})
    with pytest.raises(SettingError, match="holds a run of another network"):
        run_training(wider, run, data)
