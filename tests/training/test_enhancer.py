"""Training the enhancer: student, teacher and discriminators; the whole method; and its cached priors."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from example_runs import cpu_fabric, run_training
from helpers import Find, rand, train_on_two
from lumiface.core.errors import InputError, SettingError
from lumiface.data.training import prior_guided_set
from lumiface.data.training.prior_guided_set import (
    FreshlyDarkenedSet,
    PriorGuidedSet,
    predict_priors,
    sample_priors,
)
from lumiface.methods.prior3d.enhancer_recipe import EnhancerRecipe, EnhancerRecipeConfig
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.registry import build, build_recipe, load_model, needs_training
from lumiface.training.checkpoint import load_state
from lumiface.training.context import TaskContext
from lumiface.training.ema import EMA
from lumiface.training.task import TrainState
from lumiface.training.tasks.enhancer import EnhancerRun, EnhancerTask

TINY_PRIOR: dict[str, Any] = {
    "planes": {"channels": 4, "side": 16, "hidden": 8},
    "denoiser": {"components": 6, "side": 16, "widths": (16, 16, 16), "condition": 8, "embedding": 16},
    "render": {"coarse": 4, "fine": 4},
    "sampling_steps": 2,
}


def tiny_model(prior: dict[str, Any] | None) -> Prior3D:
    torch.manual_seed(0)
    settings = {"prior": prior, "enhancer": {"widths": (8, 8, 16)}, "prior_size": 16}
    return Prior3D(Prior3DConfig.model_validate(settings)).eval()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Path:
    """Priors are cached by their content: each test has a cache of its own."""
    return tmp_path / "cache"


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    """Four bright crops, three dark ones."""
    for name, count, factor in (("bright", 4, 1.0), ("dark", 3, 0.15)):
        with tarfile.open(tmp_path / f"{name}.tar", "w") as archive:
            for number in range(count):
                crop = (astronaut_uint8[6 * number :, 110 + 9 * number :][:256, :256] * factor).astype(
                    np.uint8
                )
                buffer = io.BytesIO()
                Image.fromarray(crop).resize((64, 64)).save(buffer, "PNG")
                member = tarfile.TarInfo(f"{number}.png")
                member.size = buffer.tell()
                archive.addfile(member, io.BytesIO(buffer.getvalue()))
    return tmp_path


def config(recipe: dict[str, Any] | None = None, **changes: Any) -> EnhancerRun:
    settings: dict[str, Any] = {
        "name": "trial",
        "component": "prior3d-enhancer-small",
        "network": {"widths": (8, 8, 16)},
        "recipe": {"perceptual": 0.0, "supervision": "pseudo-labels", **(recipe or {})},
        "prior": None,
        "train": ["{data}/bright.tar"],
        "unpaired": ["{data}/dark.tar"],
        "validate_on": "{data}/bright.tar",
        "validate_faces": 2,
        "prior_size": 16,
        "crop": 32,
        "batch": 2,
        "steps": 6,
        "warmup": 1,
        "validate_every": 3,
        "save_every": 2,
    }
    return EnhancerRun(**(settings | changes))


# --- runs ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_train_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == config().steps


@pytest.mark.parametrize("supervision", ["consistency", "pseudo-labels", "paired"])
def test_a_stopped_run_resumes_bit_for_bit(
    faces: Path, tmp_path: Path, supervision: str, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe: dict[str, Any] = {"supervision": supervision}
    if supervision == "consistency":
        asset = shared_asset("vgg_normalised_conv3_1.pth")
        monkeypatch.setenv("LUMIFACE_ASSETS", str(asset.parent))
        recipe |= {"perceptual": 0.1, "vgg_downscale": 2}
    uninterrupted = run_training(config(recipe), tmp_path / "whole", faces)
    run_training(config(recipe), tmp_path / "stopped", faces, max_steps=3)
    resumed = run_training(config(recipe), tmp_path / "stopped", faces)
    assert (uninterrupted.step, uninterrupted.best) == (resumed.step, resumed.best)
    states = [load_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "stopped")]
    expected = {"student"} if supervision == "paired" else {"student", "discriminators"}
    assert set(states[0]["networks"]) == expected
    for network, values in states[0]["networks"].items():
        for name, value in values.items():
            assert torch.equal(value, states[1]["networks"][network][name]), name
    # The whole method ships, with the student's own weights, not with the teacher's.
    shipped: Any = load_model(tmp_path / "whole" / "last.safetensors")
    for name, value in shipped.enhancer.state_dict().items():
        assert torch.equal(value, states[0]["networks"]["student"][name])
    with torch.no_grad():
        assert shipped(rand(1, 3, 40, 48)).shape == (1, 3, 40, 48)


def test_faces_are_made_dark_anew_in_every_step(faces: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "darken": "every_step",
        "recipe": {"perceptual": 0.0, "supervision": "paired"},
    }
    task = EnhancerTask(config(**settings), TaskContext(cpu_fabric(), str(faces), log=lambda line: None))
    one, other, again = (task.paired.sample_crops(4, 64, np.random.default_rng(seed)) for seed in (0, 1, 0))
    brightness = {
        seed: sorted(batch.dark.mean((1, 2, 3)).tolist()) for seed, batch in enumerate((one, other))
    }
    levels = [sorted(batch.bright.mean((1, 2, 3)).tolist()) for batch in (one, other)]
    assert levels[0] == pytest.approx(levels[1], abs=1e-6)
    assert all(abs(a - b) > 1e-4 for a, b in zip(brightness[0], brightness[1], strict=True))
    assert torch.equal(one.dark, again.dark)  # a step's faces are a function of its seed: runs resume
    uninterrupted = run_training(config(**settings), tmp_path / "whole", faces)
    run_training(config(**settings), tmp_path / "stopped", faces, max_steps=3)
    resumed = run_training(config(**settings), tmp_path / "stopped", faces)
    assert (uninterrupted.step, uninterrupted.best) == (resumed.step, resumed.best)


def test_a_freshly_darkened_face_has_the_prior_of_its_own_darkness(faces: Path) -> None:
    network, bright = tiny_model(TINY_PRIOR), (255 * rand(1, 3, 32, 32)).to(torch.uint8)
    fresh = FreshlyDarkenedSet(network, bright, lambda face, generator: 0.1 * face, torch.device("cpu"))
    batch = fresh.sample_crops(1, 32, np.random.default_rng(3))
    mirrored = torch.equal(batch.bright, bright.flip(-1) / 255.0)
    assert mirrored or torch.equal(batch.bright, bright / 255.0)
    dark = (255 * (batch.dark.flip(-1) if mirrored else batch.dark)).round().to(torch.uint8)
    torch.testing.assert_close(dark.float(), 0.1 * bright, atol=0.51, rtol=0)
    expected = sample_priors(network, dark, torch.device("cpu")) / 255.0
    priors = torch.cat([batch.rendering, batch.depth], dim=1)
    assert torch.equal(priors, expected.flip(-1) if mirrored else expected)


def test_the_teacher_is_the_moving_average_and_gets_no_gradient(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = EnhancerTask(config(ema=0.9), TaskContext(cpu_fabric(), str(faces), log=lambda line: None))
    student: Any = task.model.enhancer
    teacher = EMA(student, 0.9)
    state = TrainState(
        {"student": student, "discriminators": task.discriminators},
        {"student": teacher, "discriminators": EMA(task.networks["discriminators"], 0.9)},
    )
    before = {name: value.clone() for name, value in teacher.weights.items()}
    outputs: dict[str, Tensor] = {}
    forward = task.recipe.forward

    def record(*arguments: Any) -> Any:
        outputs.update(zip(("student_p", "student_u", "teacher_p", "teacher_u"), arguments, strict=False))
        return forward(*arguments)

    monkeypatch.setattr(task.recipe, "forward", record)
    steps = task.training_steps(state, 20)
    loss = next(steps)
    assert (loss.network, loss.images, set(loss.terms)) == ("student", 2, {"l1", "pseudo", "adversarial"})
    assert outputs["student_p"].requires_grad
    assert outputs["student_u"].requires_grad
    assert not outputs["teacher_p"].requires_grad
    assert not outputs["teacher_u"].requires_grad
    torch.stack(list(loss.terms.values())).sum().backward()
    assert all(value.grad is None and not value.requires_grad for value in teacher.weights.values())
    assert all(torch.equal(value, before[name]) for name, value in teacher.weights.items())
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.sub_(0.1 * parameter.grad)
    teacher.update(student, 1000)
    for name, value in student.state_dict().items():  # θ_t ← 0.9 θ_t + 0.1 θ_s
        torch.testing.assert_close(teacher.weights[name], 0.9 * before[name] + 0.1 * value)
    loss = next(steps)
    assert (loss.network, set(loss.terms)) == ("discriminators", {"discriminators"})
    student.zero_grad()
    loss.terms["discriminators"].backward()  # has no gradient for the student
    assert all(parameter.grad is None for parameter in student.parameters())


def test_variants_have_the_losses_of_their_names() -> None:
    def losses(**settings: Any) -> set[str]:
        recipe = EnhancerRecipe(EnhancerRecipeConfig(**settings), 0)
        images = [rand(2, 3, 32, 32, seed=seed) for seed in range(5)]
        discriminators: Any = recipe.build_discriminators()
        terms = recipe(*images, discriminators) if recipe.unpaired else recipe.supervised_loss(*images[:2])
        return set(terms)

    without_vgg: dict[str, Any] = {"perceptual": 0.0, "supervision": "pseudo-labels"}
    assert losses(**without_vgg) == {"l1", "pseudo", "adversarial"}
    assert losses(**without_vgg, adversarial=0.0) == {"l1", "pseudo"}
    assert losses(supervision="paired", perceptual=0.0) == {"l1"}


def test_all_losses_of_the_paper(shared_asset: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("vgg_normalised_conv3_1.pth").parent))
    images = [rand(2, 3, 32, 32, seed=seed) for seed in range(5)]
    names = {"l1", "perceptual", "intra", "inter", "adversarial"}
    for absent, settings in ({}, {}), ({"intra"}, {"intra": 0.0}), ({"inter"}, {"inter": 0.0}):
        recipe = EnhancerRecipe(EnhancerRecipeConfig(**settings), 0)
        assert set(recipe(*images, recipe.build_discriminators())) == names - set(absent)
    full = EnhancerRecipe(EnhancerRecipeConfig(), 0)
    halved = EnhancerRecipe(EnhancerRecipeConfig(distill=0.25), 0)
    assert full(*images, None)["inter"].item() == pytest.approx(2 * halved(*images, None)["inter"].item())
    assert full(*images, None)["l1"].item() == pytest.approx(F.l1_loss(images[0], images[4]).item())


def test_mistakes_are_one_line(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name faces in low light under unpaired"):
        run_training(config(unpaired=[]), tmp_path / "run", faces)
    with pytest.raises(SettingError, match="crop 128 of faces of 64 px does not fit"):
        run_training(config(crop=128), tmp_path / "run", faces)
    with pytest.raises(SettingError, match=r"trained by components \(prior3d-lifter, prior3d-prior"):
        build_recipe("prior3d-small", {}, 0)
    assert needs_training("prior3d-small")


# --- the method ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [None, TINY_PRIOR, TINY_PRIOR | {"estimator": "regression"}])
def test_the_output_is_deterministic(prior: dict[str, Any] | None) -> None:
    network, low = tiny_model(prior), 0.2 * rand(2, 3, 40, 40)
    with torch.no_grad():
        once, again = network(low), network(low.clone())
        alone = network(low[1:])
    assert torch.equal(once, again)
    torch.testing.assert_close(alone, once[1:], atol=2e-3, rtol=0)
    assert once.shape == low.shape


def test_no_batch_norm_anywhere() -> None:
    for preset in ("prior3d-small", "prior3d-paper"):
        with torch.device("meta"):
            network = build(preset)
        assert not any("BatchNorm" in type(layer).__name__ for layer in network.modules())


def test_prior_maps_can_be_rendered_at_any_size() -> None:
    network = tiny_model(TINY_PRIOR)
    with torch.no_grad():
        maps = network.predict_prior(0.2 * rand(1, 3, 40, 40))
        assert maps.triplane is not None
        large = network.render_prior(maps.triplane, maps.triplane.camera, 24)
    assert maps.rendering.shape == (1, 3, 16, 16)
    assert maps.depth.shape == (1, 1, 16, 16)
    assert 0.0 <= maps.depth.min() <= maps.depth.max() <= 1.0
    assert large.rendering.shape == (1, 3, 24, 24)
    with pytest.raises(ValueError, match="without a prior"):
        tiny_model(None).render_prior(maps.triplane, maps.triplane.camera)


# --- cached priors ------------------------------------------------------------------------------------------


def test_priors_are_cropped_with_the_face() -> None:
    dark = (255 * rand(3, 3, 64, 64)).to(torch.uint8)
    small = F.avg_pool2d(dark.float(), 4)
    faces = PriorGuidedSet(dark, torch.cat([small, small[:, :1]], dim=1), dark)
    batch = faces.sample_crops(5, 32, np.random.default_rng(0))
    assert batch.dark.shape == batch.bright.shape == (5, 3, 32, 32)
    assert batch.rendering.shape == (5, 3, 8, 8)
    assert torch.equal(batch.dark, batch.bright)
    torch.testing.assert_close(F.avg_pool2d(batch.dark, 4), batch.rendering, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(batch.rendering[:, :1], batch.depth)
    assert faces.full_image(2).dark.shape == (1, 3, 64, 64)


def test_priors_are_sampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, lines = tiny_model(TINY_PRIOR), list[str]()
    dark = (60 * rand(3, 3, 32, 32)).to(torch.uint8)
    monkeypatch.setattr(prior_guided_set, "CHUNK", 2)
    first = predict_priors(network, dark, torch.device("cpu"), lines.append)
    assert lines == [f"3D priors sampled for {count} of 3 faces" for count in (2, 3)]
    with torch.no_grad():
        maps = network.predict_prior(dark[2:].float() / 255.0)
    expected = torch.cat([maps.rendering, maps.depth], dim=1)
    torch.testing.assert_close(first[2:].float() / 255.0, expected, atol=0.5 / 255 + 1e-6, rtol=0)
    monkeypatch.setattr(network, "predict_prior", None)  # a further call would fail
    assert torch.equal(predict_priors(network, dark, torch.device("cpu"), lines.append), first)
    assert len(lines) == 2
    with torch.no_grad():
        next(iter(network.prior.parameters())).add_(1.0)  # type: ignore[union-attr]
    with pytest.raises(TypeError):  # the cache has nothing of another prior
        predict_priors(network, dark, torch.device("cpu"), lines.append)
