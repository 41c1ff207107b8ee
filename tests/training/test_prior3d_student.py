"""Student, teacher and critics in training; the whole method; and what leads it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from PIL import Image
from torch import Tensor

from helpers import Find, rand, train_on_two
from lumiface.core.errors import InputError, SettingError
from lumiface.data.training import prior_guided_set as leads
from lumiface.data.training.prior_guided_set import PriorGuidedSet, predict_priors
from lumiface.methods.prior3d.enhancer_recipe import EnhancerRecipe, EnhancerRecipeConfig
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.registry import build, build_recipe, load_model, needs_training
from lumiface.training.checkpoint import load_state
from lumiface.training.context import TaskContext
from lumiface.training.ema import EMA
from lumiface.training.part_config import EnhancerRun
from lumiface.training.run import start
from lumiface.training.task import Limits, TrainResult, TrainState
from lumiface.training.tasks.enhancer import EnhancerTask

TINY_PRIOR: dict[str, Any] = {
    "planes": {"channels": 4, "side": 16, "hidden": 8},
    "denoiser": {"components": 6, "side": 16, "widths": (16, 16, 16), "condition": 8, "embedding": 16},
    "render": {"coarse": 4, "fine": 4},
    "sampling_steps": 2,
}


def tiny(prior: dict[str, Any] | None) -> Prior3D:
    torch.manual_seed(0)
    settings = {"prior": prior, "enhancer": {"widths": (8, 8, 16)}, "prior_size": 16}
    return Prior3D(Prior3DConfig.model_validate(settings)).eval()


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four bright crops, three dark ones; what is drawn is kept in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
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


def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision="32-true")


def run(folder: Path, faces: Path, settings: EnhancerRun, **limits: Any) -> TrainResult:
    return start(settings, folder, fabric(), data_root=str(faces), limits=Limits(**limits))


@pytest.mark.slow
def test_two_processes_train_as_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == config().steps


# the run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("supervision", ["consistency", "pseudo-labels", "pairs"])
def test_a_stopped_run_ends_with_the_same_bits(
    faces: Path, tmp_path: Path, supervision: str, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe: dict[str, Any] = {"supervision": supervision}
    if supervision == "consistency":
        asset = shared_asset("vgg_normalised_conv3_1.pth")
        monkeypatch.setenv("LUMIFACE_ASSETS", str(asset.parent))
        recipe |= {"perceptual": 0.1, "shrink": 2}
    straight = run(tmp_path / "whole", faces, config(recipe))
    run(tmp_path / "parted", faces, config(recipe), max_steps=3)
    resumed = run(tmp_path / "parted", faces, config(recipe))
    assert (straight.step, straight.best) == (resumed.step, resumed.best)
    states = [load_state(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parted")]
    assert set(states[0]["networks"]) == ({"student"} if supervision == "pairs" else {"student", "critics"})
    for network, values in states[0]["networks"].items():
        for name, value in values.items():
            assert torch.equal(value, states[1]["networks"][network][name]), name
    # What ships is the whole method with the student's own weights, not with the teacher's.
    shipped: Any = load_model(tmp_path / "whole" / "last.safetensors")
    for name, value in shipped.enhancer.state_dict().items():
        assert torch.equal(value, states[0]["networks"]["student"][name])
    with torch.no_grad():
        assert shipped(rand(1, 3, 40, 48)).shape == (1, 3, 40, 48)


def test_the_teacher_is_the_average_and_gets_no_gradient(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = EnhancerTask(config(ema=0.9), TaskContext(fabric(), str(faces), tell=lambda line: None))
    student: Any = lesson.method_network.enhancer
    teacher = EMA(student, 0.9)
    pupils = TrainState(
        {"student": student, "critics": lesson.critics},
        {"student": teacher, "critics": EMA(lesson.networks["critics"], 0.9)},
    )
    before = {name: value.clone() for name, value in teacher.weights.items()}
    seen: dict[str, Tensor] = {}
    teach = lesson.recipe.forward

    def listen(*made: Any) -> Any:
        seen.update(zip(("student_p", "student_u", "teacher_p", "teacher_u"), made, strict=False))
        return teach(*made)

    monkeypatch.setattr(lesson.recipe, "forward", listen)
    turns = lesson.turns(pupils, 20)
    name, parts, count = next(turns)
    assert (name, count, set(parts)) == ("student", 2, {"l1", "pseudo", "adversarial"})
    assert seen["student_p"].requires_grad
    assert seen["student_u"].requires_grad
    assert not seen["teacher_p"].requires_grad
    assert not seen["teacher_u"].requires_grad
    torch.stack(list(parts.values())).sum().backward()
    assert all(value.grad is None and not value.requires_grad for value in teacher.weights.values())
    assert all(torch.equal(value, before[name]) for name, value in teacher.weights.items())
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.sub_(0.1 * parameter.grad)
    teacher.update(student, 1000)
    for name, value in student.state_dict().items():  # θ_t ← 0.9 θ_t + 0.1 θ_s
        torch.testing.assert_close(teacher.weights[name], 0.9 * before[name] + 0.1 * value)
    name, parts, _ = next(turns)
    assert (name, set(parts)) == ("critics", {"critics"})
    student.zero_grad()
    parts["critics"].backward()  # the critics' own lesson says nothing to the student
    assert all(parameter.grad is None for parameter in student.parameters())


def test_variants_are_told_what_their_names_say() -> None:
    def losses(**settings: Any) -> set[str]:
        recipe = EnhancerRecipe(EnhancerRecipeConfig(**settings), 0)
        pictures = [rand(2, 3, 32, 32, seed=seed) for seed in range(5)]
        critics: Any = recipe.build_discriminators()
        return (
            set(recipe(*pictures, critics)) if recipe.unpaired else set(recipe.supervised_loss(*pictures[:2]))
        )

    few: dict[str, Any] = {"perceptual": 0.0, "supervision": "pseudo-labels"}
    assert losses(**few) == {"l1", "pseudo", "adversarial"}
    assert losses(**few, adversarial=0.0) == {"l1", "pseudo"}
    assert losses(supervision="pairs", perceptual=0.0) == {"l1"}


def test_all_losses_of_the_paper(shared_asset: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("vgg_normalised_conv3_1.pth").parent))
    pictures = [rand(2, 3, 32, 32, seed=seed) for seed in range(5)]
    names = {"l1", "perceptual", "intra", "inter", "adversarial"}
    for left_out, settings in ({}, {}), ({"intra"}, {"intra": 0.0}), ({"inter"}, {"inter": 0.0}):
        recipe = EnhancerRecipe(EnhancerRecipeConfig(**settings), 0)
        parts = recipe(*pictures, recipe.build_discriminators())
        assert set(parts) == names - set(left_out)
    full = EnhancerRecipe(EnhancerRecipeConfig(), 0)
    halved = EnhancerRecipe(EnhancerRecipeConfig(distill=0.25), 0)
    assert full(*pictures, None)["inter"].item() == pytest.approx(2 * halved(*pictures, None)["inter"].item())
    assert full(*pictures, None)["l1"].item() == pytest.approx(F.l1_loss(pictures[0], pictures[4]).item())


def test_mistakes_are_one_line(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name faces in low light under unpaired"):
        run(tmp_path / "run", faces, config(unpaired=[]))
    with pytest.raises(SettingError, match="crop 128 of faces of 64 px does not fit"):
        run(tmp_path / "run", faces, config(crop=128))
    with pytest.raises(SettingError, match="trained part by part"):
        build_recipe("prior3d-small", {}, 0)
    assert needs_training("prior3d-small")


# the method ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [None, TINY_PRIOR, TINY_PRIOR | {"estimator": "regression"}])
def test_the_same_photo_gives_the_same_picture(prior: dict[str, Any] | None, tmp_path: Path) -> None:
    network, low = tiny(prior), 0.2 * rand(2, 3, 40, 40)
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


def test_what_leads_is_near_where_the_face_is_near() -> None:
    network = tiny(TINY_PRIOR)
    with torch.no_grad():
        lead = network.predict_prior(0.2 * rand(1, 3, 40, 40))
        assert lead.drawn is not None
        large = network.render_prior(lead.drawn, lead.drawn.camera, 24)
    assert lead.rendering.shape == (1, 3, 16, 16)
    assert lead.depth.shape == (1, 1, 16, 16)
    assert 0.0 <= lead.depth.min() <= lead.depth.max() <= 1.0
    assert large.rendering.shape == (1, 3, 24, 24)
    with pytest.raises(ValueError, match="without a prior"):
        tiny(None).render_prior(lead.drawn, lead.drawn.camera)


# what leads, kept ---------------------------------------------------------------------------------------


def test_what_leads_is_cut_with_the_face() -> None:
    dark = (255 * rand(3, 3, 64, 64)).to(torch.uint8)
    small = F.avg_pool2d(dark.float(), 4)
    led = PriorGuidedSet(dark, torch.cat([small, small[:, :1]], dim=1), dark)
    batch = led.cut(5, 32, np.random.default_rng(0))
    assert batch.dark.shape == batch.bright.shape == (5, 3, 32, 32)
    assert batch.rendering.shape == (5, 3, 8, 8)
    assert torch.equal(batch.dark, batch.bright)
    torch.testing.assert_close(F.avg_pool2d(batch.dark, 4), batch.rendering, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(batch.rendering[:, :1], batch.depth)
    assert led.whole(2).dark.shape == (1, 3, 64, 64)


def test_priors_are_drawn_once(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, said = tiny(TINY_PRIOR), list[str]()
    dark = (60 * rand(3, 3, 32, 32)).to(torch.uint8)
    monkeypatch.setattr(leads, "CHUNK", 2)
    first = predict_priors(network, dark, torch.device("cpu"), said.append)
    assert said == [f"3D priors drawn for {count} of 3 faces" for count in (2, 3)]
    with torch.no_grad():
        lead = network.predict_prior(dark[2:].float() / 255.0)
    expected = torch.cat([lead.rendering, lead.depth], dim=1)
    torch.testing.assert_close(first[2:].float() / 255.0, expected, atol=0.5 / 255 + 1e-6, rtol=0)
    monkeypatch.setattr(network, "lead", None)  # nothing more is drawn
    assert torch.equal(predict_priors(network, dark, torch.device("cpu"), said.append), first)
    assert len(said) == 2
    with torch.no_grad():
        next(iter(network.prior.parameters())).add_(1.0)  # type: ignore[union-attr]
    with pytest.raises(TypeError):  # another prior: the cache has nothing of it
        predict_priors(network, dark, torch.device("cpu"), said.append)
