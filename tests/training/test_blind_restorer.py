"""Training the blind restorer and the generator's first lesson: turns, what moves, and what does not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from helpers import Find, rand, train_on_two, write_crops
from lumiface.core.errors import InputError
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.restorer_recipe import RestorerRecipe, RestorerRecipeConfig
from lumiface.methods.fusion_bfr.style_layers import activate, deactivate
from lumiface.registry import load_component, load_model
from lumiface.training.checkpoint import load_state, save_weights
from lumiface.training.context import TaskContext
from lumiface.training.ema import EMA
from lumiface.training.part_config import AutoencoderRun, BlindRestorerRun, RunConfig
from lumiface.training.run import start
from lumiface.training.task import Limits, TrainResult, TrainState
from lumiface.training.tasks.autoencoder import AutoencoderTask

TINY: dict[str, Any] = {"resolution": 32, "latent": 16, "mapping": 2, "channel_base": 256, "max_channels": 16}
ENCODER: dict[str, Any] = {"resolution": 32, "channel_base": 256, "max_channels": 16, "latent": 16}
NETWORK: dict[str, Any] = {"encoder": ENCODER, "generator": TINY, "heads": 2}
CHEAP: dict[str, Any] = {"perceptual": 0.0, "identity": 0.0, "mrfr": 1.0, "pixel": 1.0}


@pytest.fixture
def faces(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Six crops of 48 pixels, and an untrained generator."""
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    folder = tmp_path / "faces"
    folder.mkdir()
    write_crops(astronaut_uint8, folder, 6, 48)
    torch.manual_seed(1)
    prior = Generator(GeneratorConfig.model_validate(TINY))
    provenance = {"best_minus_fd_squeezenet": -1.0}
    save_weights(
        tmp_path / "prior.safetensors",
        prior.state_dict(),
        method="stylegan2",
        config=prior.config,
        provenance=provenance,
    )
    return tmp_path


def config(kind: type[RunConfig], **changes: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "name": "trial",
        "train": ["{data}/faces"],
        "validate_on": "{data}/faces",
        "batch": 2,
        "steps": 4,
        "warmup": 1,
        "validate_every": 2,
        "save_every": 1,
    }
    if kind is BlindRestorerRun:
        settings |= {"component": "fusion-bfr-restorer-64", "network": NETWORK, "recipe": CHEAP}
        settings |= {"prior": "{data}/prior.safetensors", "validate_faces": 3}
    else:
        recipe = {"perceptual": 0.0}
        settings |= {"num_fid_samples": 12, "num_fit_samples": 4}
        settings |= {"component": "stylegan2-autoencoder-64", "network": TINY, "recipe": recipe}
    return kind(**(settings | changes))


def run(folder: Path, data: Path, settings: RunConfig, **limits: Any) -> TrainResult:
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return start(settings, folder, fabric, data_root=str(data), limits=Limits(**limits))


GAME = {"recipe": CHEAP | {"adversarial": 0.1, "gan": {"augment": {"images": 20}, "r1_every": 2}}}


JUDGED = {
    "recipe": {"perceptual": 0.0, "adversarial": 0.1, "gan": {"augment": {"images": 20}, "r1_every": 2}}
}

RUNS = pytest.mark.parametrize(
    ("kind", "changes"),
    [(BlindRestorerRun, {}), (BlindRestorerRun, GAME), (AutoencoderRun, {}), (AutoencoderRun, JUDGED)],
)


@RUNS
def test_a_stopped_run_ends_with_the_same_bits(
    faces: Path, tmp_path: Path, kind: type[RunConfig], changes: dict[str, Any]
) -> None:
    settings = config(kind, **changes)
    straight = run(tmp_path / "whole", faces, settings)
    run(tmp_path / "parted", faces, settings, max_steps=2)
    resumed = run(tmp_path / "parted", faces, settings)
    assert (straight.step, straight.best) == (resumed.step, resumed.best)
    states = [load_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parted")]
    assert ("critic" in states[0]["networks"]) == bool(changes)
    for network, values in states[0]["networks"].items():
        for name, value in values.items():
            assert torch.equal(value, states[1]["networks"][network][name]), name


@pytest.mark.slow
@RUNS
def test_two_processes_train_as_one_run(
    faces: Path, tmp_path: Path, kind: type[RunConfig], changes: dict[str, Any]
) -> None:
    folder = train_on_two(config(kind, **changes), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == 4


def test_a_critic_may_join_a_run_later_and_is_heard_after_its_head_start(faces: Path, tmp_path: Path) -> None:
    alone = config(AutoencoderRun, steps=2)
    run(tmp_path / "run", faces, alone)
    judged = {
        "perceptual": 0.0,
        "adversarial": 0.1,
        "gan": {"augment": None, "discriminator_warmup_steps": 3},
    }
    joined = config(AutoencoderRun, recipe=judged)
    assert run(tmp_path / "run", faces, joined, max_steps=3).step == 3
    parts, facts = load_state(tmp_path / "run" / "state.safetensors")
    assert set(parts["networks"]) == {"autoencoder", "critic"}
    assert facts["score"] == "minus_fd_squeezenet"
    lesson = AutoencoderTask(joined, TaskContext(Fabric(accelerator="cpu", devices=1), str(faces)))
    averages = {name: EMA(part, 0.9) for name, part in lesson.networks.items()}
    pupils = TrainState(dict(lesson.networks), averages)
    for step in (2, 3):
        turns = list(lesson.turns(pupils, step))
        assert [name for name, _, _ in turns] == ["autoencoder", "critic"]
        assert ("adversarial" in turns[0][1]) == (step == 3)


def test_a_share_of_the_faces_is_restored_at_other_fidelities() -> None:
    drawn = RestorerRecipe(
        RestorerRecipeConfig(perceptual=0.0, identity=0.0, varied=0.25), seed=0
    ).sample_fidelity(2000, torch.Generator().manual_seed(0))
    others = drawn[drawn < 1]
    assert len(others) / len(drawn) == pytest.approx(0.25, abs=0.03)
    assert others.mean().item() == pytest.approx(0.5, abs=0.05)
    torch.manual_seed(0)
    network = FusionBFR(FusionBFRConfig.model_validate(NETWORK)).eval()
    for branch in network.lead:  # as if trained: untrained, it leads nowhere
        torch.nn.init.normal_(branch.beta[-1].weight, std=0.1)
    faces = rand(2, 3, 32, 32)
    with torch.no_grad():
        apart = [network.restore(faces[row : row + 1], share) for row, share in enumerate((0.3, 1.0))]
        together = network(faces, torch.tensor([0.3, 1.0]))
        torch.testing.assert_close(together, torch.cat(apart))
        assert (together[:1] - network(faces[:1])).abs().max() > 1e-3


def test_the_generator_stays_as_it_is_unless_thawed(faces: Path, tmp_path: Path) -> None:
    prior = load_component(faces / "prior.safetensors", "stylegan2").state_dict()
    for thaw in (False, True):
        run(tmp_path / str(thaw), faces, config(BlindRestorerRun, train_generator=thaw))
        trained: Any = load_model(tmp_path / str(thaw) / "last.safetensors")
        moved = [
            not torch.equal(value, prior[name]) for name, value in trained.generator.state_dict().items()
        ]
        assert any(moved) == thaw
        assert trained(rand(1, 3, 40, 36)).shape == (1, 3, 40, 36)


def test_without_a_prior_the_generator_learns_with_the_rest(faces: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", faces, config(BlindRestorerRun, prior=None))
    trained: Any = load_model(tmp_path / "run" / "last.safetensors")
    torch.manual_seed(0)
    untrained = FusionBFR(FusionBFRConfig.model_validate(NETWORK)).generator.state_dict()
    changed = [
        name for name, value in trained.generator.state_dict().items() if value.ne(untrained[name]).any()
    ]
    assert len(changed) > 10


def test_a_prior_of_another_size_is_refused_by_name(faces: Path, tmp_path: Path) -> None:
    wrong = {"network": {"encoder": ENCODER | {"resolution": 64}, "generator": TINY}}
    with pytest.raises(Exception, match="encoder: works at 64 pixels"):
        run(tmp_path / "run", faces, config(BlindRestorerRun, **wrong))
    with pytest.raises(InputError, match="absent"):
        run(tmp_path / "run", faces, config(BlindRestorerRun, prior="{data}/absent.safetensors"))


def test_the_first_lesson_teaches_the_generator_to_draw_and_its_mean_code(
    faces: Path, tmp_path: Path
) -> None:
    lesson = {"lr": 0.003, "ema": 0.5, "validate_every": 60, "save_every": 60, "clip": 10.0}
    first = run(tmp_path / "run", faces, config(AutoencoderRun, steps=240, **lesson), max_steps=60)
    last = run(tmp_path / "run", faces, config(AutoencoderRun, steps=240, **lesson))
    assert last.best > first.best + 1.0  # dB
    trained: Any = load_component(tmp_path / "run" / "last.safetensors", "stylegan2")
    assert trained.w_avg.abs().max() > 0


def test_z_is_led_to_the_codes_of_faces() -> None:
    torch.manual_seed(0)
    for layers in (1, 3):
        generator = Generator(GeneratorConfig.model_validate(TINY | {"mapping": layers}))
        before = torch.randn(4000, 16) @ torch.randn(16, 16) + torch.randn(16)
        codes = activate(before)
        torch.testing.assert_close(deactivate(codes), before)
        generator.fit_mapping(codes)
        torch.testing.assert_close(generator.w_avg, codes.mean(dim=0))
        drawn = deactivate(generator.mapping(torch.randn(40_000, 16))).double()
        expected = np.cov(before.double().numpy().T)
        assert np.linalg.norm(np.cov(drawn.detach().numpy().T) - expected) < 0.1 * np.linalg.norm(expected)
        spread = float(np.sqrt(np.trace(expected)))
        assert (drawn.mean(dim=0) - before.double().mean(dim=0)).norm() < 0.05 * spread


def test_mrfr_moves_the_picture_and_not_the_judge() -> None:
    torch.manual_seed(0)
    network = FusionBFR(FusionBFRConfig.model_validate(NETWORK))
    only = {"perceptual": 0.0, "identity": 0.0, "mrfr": 2.0}
    recipe = RestorerRecipe(RestorerRecipeConfig.model_validate(only), 0)
    output, truth = rand(2, 3, 32, 32).requires_grad_(), rand(2, 3, 32, 32, seed=1)
    parts = recipe(output, truth, network.encoder, None, torch.Generator())
    assert list(parts) == ["mrfr"]
    parts["mrfr"].backward()
    assert output.grad is not None
    assert output.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in network.parameters())
    same = recipe(truth, truth, copy.deepcopy(network.encoder), None, torch.Generator())
    assert same["mrfr"] == 0


def test_damage_is_the_paper_s_and_seeded() -> None:
    recipe = RestorerRecipe(RestorerRecipeConfig.model_validate(CHEAP), 0)
    faces = rand(3, 3, 32, 32)
    one, again, other = (recipe.damage(faces, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == faces.shape
    defaults = RestorerRecipeConfig()
    assert (defaults.perceptual, defaults.identity, defaults.mrfr) == (1.0, 10.0, 1.0)  # equation 9
    assert (defaults.pixel, defaults.adversarial) == (0.0, 0.0)
