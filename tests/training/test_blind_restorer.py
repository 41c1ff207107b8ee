"""Training the blind restorer and the autoencoder: optimizer steps, discriminators, the frozen generator."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from example_runs import cpu_fabric, run_training
from helpers import Find, rand, train_on_two, write_crops
from lumiface.core.errors import InputError, SettingError
from lumiface.core.settings import find_config
from lumiface.methods.fusion_bfr.convert_official import _port  # pyright: ignore[reportPrivateUsage]
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.restorer_recipe import RestorerRecipe, RestorerRecipeConfig
from lumiface.methods.fusion_bfr.style_layers import activate, deactivate
from lumiface.registry import build, load_model
from lumiface.training.checkpoint import load_state, save_weights
from lumiface.training.config import RunConfig
from lumiface.training.context import TaskContext
from lumiface.training.ema import EMA
from lumiface.training.read_config import read_config
from lumiface.training.task import TrainState
from lumiface.training.tasks.autoencoder import AutoencoderRun, AutoencoderTask
from lumiface.training.tasks.blind_restorer import BlindRestorerRun

TINY: dict[str, Any] = {"resolution": 32, "latent": 16, "mapping": 2, "channel_base": 256, "max_channels": 16}
ENCODER: dict[str, Any] = {"resolution": 32, "channel_base": 256, "max_channels": 16, "latent": 16}
NETWORK: dict[str, Any] = {"encoder": ENCODER, "generator": TINY, "heads": 2}
CHEAP: dict[str, Any] = {"perceptual": 0.0, "identity": 0.0, "mrfr": 1.0, "pixel": 1.0}
GAN: dict[str, Any] = {"adversarial": 0.1, "gan": {"augment": {"images": 20}, "r1_every": 2}}


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
    save_weights(
        tmp_path / "prior.safetensors",
        prior.state_dict(),
        method="stylegan2",
        config=prior.config,
        provenance={},
        score={"name": "minus_fd_squeezenet", "value": -1.0},
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
        settings |= {"component": "stylegan2-autoencoder-64", "network": TINY, "recipe": {"perceptual": 0.0}}
        settings |= {"num_fid_samples": 12, "num_fit_samples": 4}
    return kind(**(settings | changes))


RUNS = pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (BlindRestorerRun, {}),
        (BlindRestorerRun, {"recipe": CHEAP | GAN}),
        (AutoencoderRun, {}),
        (AutoencoderRun, {"recipe": {"perceptual": 0.0} | GAN}),
    ],
)


@RUNS
def test_a_stopped_run_resumes_bit_for_bit(
    faces: Path, tmp_path: Path, kind: type[RunConfig], changes: dict[str, Any]
) -> None:
    settings = config(kind, **changes)
    uninterrupted = run_training(settings, tmp_path / "whole", faces)
    run_training(settings, tmp_path / "stopped", faces, max_steps=2)
    resumed = run_training(settings, tmp_path / "stopped", faces)
    assert (uninterrupted.step, uninterrupted.best) == (resumed.step, resumed.best)
    states = [load_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "stopped")]
    assert ("discriminator" in states[0]["networks"]) == bool(changes)
    for network, values in states[0]["networks"].items():
        for name, value in values.items():
            assert torch.equal(value, states[1]["networks"][network][name]), name


@pytest.mark.slow
@RUNS
def test_two_processes_train_one_run(
    faces: Path, tmp_path: Path, kind: type[RunConfig], changes: dict[str, Any]
) -> None:
    folder = train_on_two(config(kind, **changes), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == 4


def test_a_discriminator_joins_a_run_and_is_used_after_its_warmup(faces: Path, tmp_path: Path) -> None:
    run_training(config(AutoencoderRun, steps=2), tmp_path / "run", faces)
    gan = {"augment": None, "discriminator_warmup_steps": 3}
    joined = config(AutoencoderRun, recipe={"perceptual": 0.0, "adversarial": 0.1, "gan": gan})
    assert run_training(joined, tmp_path / "run", faces, max_steps=3).step == 3
    parts, facts = load_state(tmp_path / "run" / "state.safetensors")
    assert set(parts["networks"]) == {"autoencoder", "discriminator"}
    assert facts["score"] == "minus_fd_squeezenet"
    task = AutoencoderTask(joined, TaskContext(cpu_fabric(), str(faces)))
    ema = {name: EMA(network, 0.9) for name, network in task.networks.items()}
    state = TrainState(dict(task.networks), ema)
    for step in (2, 3):
        losses = list(task.training_steps(state, step))
        assert [loss.network for loss in losses] == ["autoencoder", "discriminator"]
        assert ("adversarial" in losses[0].terms) == (step == 3)


def test_some_faces_are_restored_at_a_random_fidelity() -> None:
    settings = RestorerRecipeConfig(perceptual=0.0, identity=0.0, random_fidelity_prob=0.25)
    sampled = RestorerRecipe(settings, seed=0).sample_fidelity(2000, torch.Generator().manual_seed(0))
    random = sampled[sampled < 1]
    assert len(random) / len(sampled) == pytest.approx(0.25, abs=0.03)
    assert random.mean().item() == pytest.approx(0.5, abs=0.05)
    torch.manual_seed(0)
    network = FusionBFR(FusionBFRConfig.model_validate(NETWORK)).eval()
    for branch in network.sft:  # as if trained: an untrained one modulates nothing
        torch.nn.init.normal_(branch.beta[-1].weight, std=0.1)
    faces = rand(2, 3, 32, 32)
    with torch.no_grad():
        alone = [network.restore(faces[row : row + 1], fidelity) for row, fidelity in enumerate((0.3, 1.0))]
        together = network(faces, torch.tensor([0.3, 1.0]))
        torch.testing.assert_close(together, torch.cat(alone))
        assert (together[:1] - network(faces[:1])).abs().max() > 1e-3


def test_the_generator_is_frozen_unless_it_is_trained(faces: Path, tmp_path: Path) -> None:
    prior = load_model(faces / "prior.safetensors", kind="stylegan2").state_dict()
    for trained in (False, True):
        folder = tmp_path / str(trained)
        run_training(config(BlindRestorerRun, train_generator=trained), folder, faces)
        restorer: Any = load_model(folder / "last.safetensors")
        changed = [
            not torch.equal(value, prior[name]) for name, value in restorer.generator.state_dict().items()
        ]
        assert any(changed) == trained
        assert restorer(rand(1, 3, 40, 36)).shape == (1, 3, 40, 36)


def test_without_a_prior_the_generator_is_trained(faces: Path, tmp_path: Path) -> None:
    run_training(config(BlindRestorerRun, prior=None), tmp_path / "run", faces)
    trained: Any = load_model(tmp_path / "run" / "last.safetensors")
    torch.manual_seed(0)
    untrained = FusionBFR(FusionBFRConfig.model_validate(NETWORK)).generator.state_dict()
    changed = [
        name for name, value in trained.generator.state_dict().items() if value.ne(untrained[name]).any()
    ]
    assert len(changed) > 10


def test_a_prior_of_another_size_is_refused(faces: Path, tmp_path: Path) -> None:
    wrong = {"network": {"encoder": ENCODER | {"resolution": 64}, "generator": TINY}}
    with pytest.raises(SettingError, match="encoder: works at 64 pixels"):
        run_training(config(BlindRestorerRun, **wrong), tmp_path / "run", faces)
    with pytest.raises(InputError, match="absent"):
        run_training(config(BlindRestorerRun, prior="{data}/absent.safetensors"), tmp_path / "run", faces)


def official_file(path: Path, changes: dict[str, Any] | None = None) -> Generator:
    """A generator, and its weights in a file under BasicSR's names, without the mean latent."""
    torch.manual_seed(2)
    generator = Generator(GeneratorConfig.model_validate(TINY | (changes or {})))
    named = {
        re.sub(r"^convs?", lambda found: f"style_{found[0]}", _port(name)): value
        for name, value in generator.state_dict().items()
        if name != "w_avg"
    }
    stored = {
        name.replace("input.input", "constant_input.weight")
        .replace("style.", "style_mlp.")
        .replace(".conv.", ".modulated_conv.")
        .replace("noise.weight", "weight"): value
        for name, value in named.items()
    }
    torch.save({"params_ema": stored}, path)
    return generator


def test_an_official_file_is_a_prior(faces: Path, tmp_path: Path) -> None:
    generator = official_file(faces / "official.pth")
    settings = config(BlindRestorerRun, steps=2, prior="{data}/official.pth", network={"encoder": ENCODER})
    assert run_training(settings, tmp_path / "run", faces).step == 2
    trained: Any = load_model(tmp_path / "run" / "last.safetensors")
    assert trained.config.generator == generator.config  # not the preset's: the file's
    state = trained.generator.state_dict()
    assert state["w_avg"].abs().max() > 0  # estimated: the file has none
    for name, value in generator.state_dict().items():
        assert name == "w_avg" or torch.equal(value, state[name]), name
    save_file({"any": torch.zeros(1)}, faces / "foreign.safetensors")
    (faces / "cut.pth").write_bytes((faces / "official.pth").read_bytes()[:5000])
    for name, line in {
        "absent.pth": "no such model",
        "cut.pth": "is damaged",
        "foreign.safetensors": "holds no StyleGAN2 generator",
    }.items():
        with pytest.raises(InputError, match=rf"{name}.*{line}"):
            run_training(config(BlindRestorerRun, prior=f"{{data}}/{name}"), tmp_path / "other", faces)


@pytest.mark.parametrize(
    ("made", "network", "line"),
    [
        ({"resolution": 64}, {"encoder": ENCODER}, "faces of 64 pixels .* encoder: works at 32 pixels"),
        ({"latent": 24}, {"encoder": ENCODER}, "latents of length 24 do not fit .* network.encoder"),
        ({"mapping": 3}, NETWORK, "its mapping is 3, network.generator.mapping is 2; leave that setting out"),
        ({"channel_base": 512}, NETWORK, "its channel_base is 512, network.generator.channel_base is 256"),
    ],
)
def test_an_official_file_that_does_not_fit_is_refused(
    faces: Path, tmp_path: Path, made: dict[str, Any], network: dict[str, Any], line: str
) -> None:
    official_file(faces / "official.pth", made)
    settings = config(BlindRestorerRun, prior="{data}/official.pth", network=network)
    with pytest.raises(SettingError, match=rf"official\.pth: .*{line}") as caught:
        run_training(settings, tmp_path / "run", faces)
    assert "\n" not in str(caught.value)


def test_initial_weights_that_do_not_fit_are_refused_in_one_line(faces: Path, tmp_path: Path) -> None:
    settings = config(BlindRestorerRun, steps=2)
    run_training(settings, tmp_path / "run", faces)
    trained = str(tmp_path / "run" / "last.safetensors")
    assert run_training(settings, tmp_path / "same", faces, init_from=trained).step == 2
    official_file(faces / "wide.pth", {"max_channels": 24})
    wide = config(BlindRestorerRun, prior="{data}/wide.pth", network={"encoder": ENCODER})
    for run in (wide, config(AutoencoderRun)):
        start = trained if run is wide else str(faces / "wide.pth")
        with pytest.raises(SettingError, match=r"--init-from .*: built with other settings") as caught:
            run_training(run, tmp_path / "other", faces, init_from=start)
        assert "\n" not in str(caught.value)


def test_fewer_faces_than_a_batch_are_refused(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train: 6 faces, and a step takes 7 different ones"):
        run_training(config(BlindRestorerRun, steps=2, batch=7), tmp_path / "run", faces)


def test_the_autoencoder_trains_the_generator_and_its_mean_latent(faces: Path, tmp_path: Path) -> None:
    settings = config(
        AutoencoderRun, steps=240, lr=0.003, ema=0.5, validate_every=60, save_every=60, clip=10.0
    )
    first = run_training(settings, tmp_path / "run", faces, max_steps=60)
    last = run_training(settings, tmp_path / "run", faces)
    assert last.best > first.best + 1.0
    trained: Any = load_model(tmp_path / "run" / "last.safetensors", kind="stylegan2")
    assert trained.w_avg.abs().max() > 0


def test_the_mapping_is_fitted_to_the_latents_of_faces() -> None:
    torch.manual_seed(0)
    for layers in (1, 3):
        generator = Generator(GeneratorConfig.model_validate(TINY | {"mapping": layers}))
        before = torch.randn(4000, 16) @ torch.randn(16, 16) + torch.randn(16)
        latents = activate(before)
        torch.testing.assert_close(deactivate(latents), before)
        generator.fit_mapping(latents)
        torch.testing.assert_close(generator.w_avg, latents.mean(dim=0))
        sampled = deactivate(generator.mapping(torch.randn(40_000, 16))).double()
        expected = np.cov(before.double().numpy().T)
        difference = np.cov(sampled.detach().numpy().T) - expected
        assert np.linalg.norm(difference) < 0.1 * np.linalg.norm(expected)
        deviation = float(np.sqrt(np.trace(expected)))
        assert (sampled.mean(dim=0) - before.double().mean(dim=0)).norm() < 0.05 * deviation


def test_mrfr_has_a_gradient_for_the_output_but_not_for_the_encoder() -> None:
    torch.manual_seed(0)
    network = FusionBFR(FusionBFRConfig.model_validate(NETWORK))
    only = {"perceptual": 0.0, "identity": 0.0, "mrfr": 2.0}
    recipe = RestorerRecipe(RestorerRecipeConfig.model_validate(only), 0)
    output, target = rand(2, 3, 32, 32).requires_grad_(), rand(2, 3, 32, 32, seed=1)
    terms = recipe(output, target, network.encoder, None, torch.Generator())
    assert list(terms) == ["mrfr"]
    terms["mrfr"].backward()
    assert output.grad is not None
    assert output.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in network.parameters())
    same = recipe(target, target, copy.deepcopy(network.encoder), None, torch.Generator())
    assert same["mrfr"] == 0


def test_the_degradation_is_seeded_and_the_weights_are_the_papers() -> None:
    recipe = RestorerRecipe(RestorerRecipeConfig.model_validate(CHEAP), 0)
    faces = rand(3, 3, 32, 32)
    one, again, other = (recipe.degrade(faces, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == faces.shape
    defaults = RestorerRecipeConfig()
    assert (defaults.perceptual, defaults.identity, defaults.mrfr) == (1.0, 10.0, 1.0)  # equation 9
    assert (defaults.pixel, defaults.adversarial) == (0.0, 0.0)
    paper: Any = read_config(find_config("fusion-bfr-512"))
    assert (paper.batch, paper.steps, paper.lr) == (8, 500_000, 2e-3)  # section 2.1
    assert RestorerRecipeConfig.model_validate(paper.recipe) == defaults
    assert (defaults.backbone, defaults.mrfr_maps) == ("vgg19", "cumulative")
    assert build(paper.component).config.generator.resolution == 512  # type: ignore[union-attr]
    assert Path(paper.prior).suffix == ".pth"  # not one of ours
