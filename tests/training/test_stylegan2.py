"""Training the generator: alternating optimizer steps, the recipe's state, and runs that are resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from example_runs import cpu_fabric, run_training
from helpers import Find, train_on_two, write_crops
from lumiface.core.errors import InputError
from lumiface.core.settings import find_config
from lumiface.registry import load_model
from lumiface.training.checkpoint import load_state
from lumiface.training.context import TaskContext
from lumiface.training.ema import EMA
from lumiface.training.lr_schedule import learning_rate
from lumiface.training.read_config import read_config
from lumiface.training.task import TrainState
from lumiface.training.tasks.stylegan2 import StyleGAN2Run, StyleGAN2Task


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
        "recipe": {"r1_every": 2, "path_length_every": 2, "augment": {"images": 20}},
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


def make_task(faces: Path, **changes: Any) -> StyleGAN2Task:
    return StyleGAN2Task(config(**changes), TaskContext(cpu_fabric(), str(faces)))


def test_a_stopped_run_resumes_bit_for_bit(faces: Path, tmp_path: Path) -> None:
    uninterrupted = run_training(config(), tmp_path / "whole", faces)
    run_training(config(), tmp_path / "stopped", faces, max_steps=2)
    resumed = run_training(config(), tmp_path / "stopped", faces)
    assert (uninterrupted.step, uninterrupted.best) == (resumed.step, resumed.best)
    assert uninterrupted.best < 0  # the negative of a distance
    states = [load_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "stopped")]
    for part in ("networks", "task"):
        for name, values in states[0][part].items():
            for key, value in values.items() if isinstance(values, dict) else ((name, values),):
                other = states[1][part][name]
                assert torch.equal(value, other[key] if isinstance(other, dict) else other), (name, key)
    assert states[0]["task"]["mean_path"] > 0
    generator: Any = load_model(tmp_path / "whole" / "last.safetensors", kind="stylegan2")
    assert generator.w_avg.abs().max() > 0
    with torch.no_grad():
        images = generator(torch.randn(2, 16), generator.sample_noise(2, torch.Generator()))
    assert images.shape == (2, 3, 32, 32)


@pytest.mark.slow
def test_two_processes_train_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == 4


def test_generator_and_discriminator_alternate(faces: Path) -> None:
    task = make_task(faces)
    state = TrainState(
        dict(task.networks), {name: EMA(network, 0.9) for name, network in task.networks.items()}
    )
    regularised = [(loss.network, *loss.terms) for loss in task.training_steps(state, 0)]
    assert regularised == [
        ("discriminator", "discriminator"),
        ("discriminator", "r1"),
        ("generator", "generator"),
        ("generator", "path_length"),
    ]
    assert [loss.network for loss in task.training_steps(state, 1)] == ["discriminator", "generator"]
    warming = make_task(faces, recipe={"discriminator_warmup_steps": 2})
    names = [[loss.network for loss in warming.training_steps(state, step)] for step in (1, 2)]
    assert names == [["discriminator"], ["discriminator", "generator"]]
    # The discriminator's loss has no gradient for the generator.
    loss = next(task.training_steps(state, 1))
    loss.terms["discriminator"].backward()
    assert all(parameter.grad is None for parameter in task.generator.parameters())


class Counted(torch.nn.Module):
    """Stands for a network as Fabric wraps it: compiled, perhaps in bf16. Counts its calls."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, *inputs: Any) -> torch.Tensor:
        self.calls += 1
        return self.network(*inputs)


def test_second_derivatives_are_of_the_plain_networks(faces: Path) -> None:
    """A compiled network has none; the loss on logits or images alone may be compiled."""
    task = make_task(faces)
    wrapped = {name: Counted(network) for name, network in task.networks.items()}
    state = TrainState(dict(wrapped), {})
    for loss in task.training_steps(state, 0):
        task.networks[loss.network].zero_grad(set_to_none=True)
        torch.stack(list(loss.terms.values())).sum().backward()
        if loss.terms.keys() & {"r1", "path_length"}:
            assert any(parameter.grad is not None for parameter in task.networks[loss.network].parameters())
    assert wrapped["discriminator"].calls == 3  # real faces, fake faces, the generator's loss; not R1
    assert wrapped["generator"].calls == 2  # fake faces for each of the two; not path length


def test_the_generators_loss_leaves_the_discriminator_alone(faces: Path) -> None:
    task = make_task(faces)
    state = TrainState(dict(task.networks), {})
    for loss in task.training_steps(state, 1):
        if loss.network == "generator":
            task.discriminator.zero_grad(set_to_none=True)
            loss.terms["generator"].backward()
    assert all(parameter.grad is None for parameter in task.discriminator.parameters())
    assert all(parameter.requires_grad for parameter in task.discriminator.parameters())
    assert any(parameter.grad is not None for parameter in task.generator.parameters())


def test_styles_are_mixed(faces: Path) -> None:
    task = make_task(faces)
    generator = torch.Generator().manual_seed(0)
    latents = task.recipe.sample_latents(task.generator, 200, generator)
    assert latents.shape == (200, 8, 16)
    mixed = (latents[:, 0] != latents[:, -1]).any(dim=1).float().mean().item()
    assert mixed == pytest.approx(0.9, abs=0.06)


def test_the_shipped_configuration_trains_a_generator() -> None:
    shipped = read_config(find_config("stylegan2-128"))
    assert isinstance(shipped, StyleGAN2Run)
    assert learning_rate(0, shipped) == learning_rate(19_999, shipped) == 2.5e-3


def test_faces_of_several_sizes_are_reduced_to_one(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "larger").mkdir()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "larger" / "red.png")
    context = TaskContext(cpu_fabric(), str(tmp_path))
    both = context.face_tensor([str(faces), "{data}/larger"], side=40)
    assert both.shape == (13, 3, 40, 40)
    assert torch.equal(both[-1, :, 20, 20], torch.tensor([255, 0, 0], dtype=torch.uint8))
    assert len(context.face_tensor([str(faces), "{data}/larger"], side=40, limit=3)) == 3
    with pytest.raises(InputError, match="faces have 48 pixels; the run needs 64"):
        context.face_tensor([str(faces)], side=64)
