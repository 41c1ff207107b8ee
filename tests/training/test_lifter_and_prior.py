"""Training lifter and 3D prior: views with their cameras, resumed runs, and the components that ship."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from example_runs import run_training
from helpers import Find, train_on_two
from lumiface.cli import app
from lumiface.core.errors import InputError, SettingError
from lumiface.data.training.view_set import ViewSet, load_views
from lumiface.evaluation.studies.lifter import lifter_row, measure_lifter, render_views
from lumiface.geometry.camera import camera_angles, mirror_camera, orbit_camera, project
from lumiface.geometry.mesh import FaceMeshes, canonical_face
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import COMPONENTS, build, load_model, read_metadata, shipped_components
from lumiface.training.checkpoint import load_state, save_state
from lumiface.training.tasks.diffusion_prior import DiffusionPriorRun
from lumiface.training.tasks.lifter import LifterRun

ANGLES = torch.tensor([[0.0, 0.0, 0.0], [12.0, 5.0, 0.0], [-15.0, 0.0, 3.0], [5.0, -6.0, 0.0]])


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find) -> Path:
    """Four crops with landmarks as if each were the generic face before a known camera; a fifth has none."""
    shared_asset("canonical_face_model.obj")
    with tarfile.open(tmp_path / "faces.tar", "w") as archive:
        for number in range(5):
            crop = Image.fromarray(astronaut_uint8[4 * number :, 110 + 3 * number :][:256, :256]).resize(
                (64, 64)
            )
            buffer = io.BytesIO()
            crop.save(buffer, "PNG")
            member = tarfile.TarInfo(f"{number}.png")
            member.size = buffer.tell()
            archive.addfile(member, io.BytesIO(buffer.getvalue()))
    projected = project(canonical_face().vertices.expand(4, -1, -1), orbit_camera(ANGLES), 64, 64)
    # Depth as MediaPipe gives it: in pixels, and relative.
    points = torch.cat([projected[..., :2], (projected[..., 2:] - 2.7) * 64 * 4.2647 / 2.7], dim=2)
    names = [f"{number}.png" for number in range(4)]
    FaceMeshes(names, points, torch.ones(4)).write(tmp_path / "meshes.npz")
    return tmp_path


def read_views(faces: Path) -> ViewSet:
    return load_views([faces / "faces.tar"], faces / "meshes.npz", "cpu", lambda line: None)


def config(**changes: Any) -> LifterRun:
    settings: dict[str, Any] = {
        "name": "trial",
        "component": "prior3d-lifter-small",
        "network": {
            "planes": {"channels": 4, "side": 16, "hidden": 8},
            "widths": (8, 16),
            "render": {"coarse": 4, "fine": 4},
        },
        "recipe": {"side": 32, "perceptual": 0.0},
        "train": ["{data}/faces.tar"],
        "meshes": "{data}/meshes.npz",
        "validate_on": "{data}/faces.tar",
        "validate_meshes": "{data}/meshes.npz",
        "validate_faces": 2,
        "batch": 2,
        "steps": 6,
        "warmup": 1,
        "validate_every": 3,
        "save_every": 2,
    }
    return LifterRun(**(settings | changes))


def prior_config(lifter: Path, **network: Any) -> DiffusionPriorRun:
    denoiser = {"components": 12, "side": 16, "widths": (16, 16, 16), "condition": 8, "embedding": 16}
    settings = config().model_dump() | {
        "component": "prior3d-prior-small",
        "lifter": str(lifter),
        "network": {"denoiser": denoiser, "sampling_steps": 2, **network},
        "recipe": {"calibrate": 3},
        "render_size": 32,
    }
    return DiffusionPriorRun(**settings)


def assert_same_networks(one: Path, other: Path) -> None:
    states = [load_state(folder / "state.safetensors")[0] for folder in (one, other)]
    for network, values in states[0]["networks"].items():
        for name, value in values.items():
            assert torch.equal(value, states[1]["networks"][network][name]), name


# --- views --------------------------------------------------------------------------------------------------


def test_views_have_their_cameras(faces: Path) -> None:
    lines: list[str] = []
    views = load_views([faces / "faces.tar"], faces / "meshes.npz", "cpu", lines.append)
    assert (len(views), views.names) == (4, [f"{number}.png" for number in range(4)])
    assert lines == ["4 views; 1 pictures have no landmarks, 0 have no fitting camera"]
    torch.testing.assert_close(camera_angles(views.cameras), ANGLES, atol=0.3, rtol=0)
    batch = views.batch([2, 0], 32)
    assert batch.pictures.shape == (2, 3, 64, 64)
    assert batch.depth.shape == batch.mask.shape == (2, 1, 32, 32)
    inside = batch.depth[batch.mask]
    assert 2.4 < inside.min() < inside.max() < 2.8
    assert batch.depth[~batch.mask].abs().max() == 0
    views.store_depth(32)
    stored = views.batch([2, 0], 32)
    torch.testing.assert_close(stored.depth, batch.depth)
    assert torch.equal(stored.mask, batch.mask)
    mirrored = batch.mirrored()
    assert torch.equal(mirrored.pictures, batch.pictures.flip(-1))
    assert torch.equal(mirrored.cameras, mirror_camera(batch.cameras))
    assert torch.equal(mirrored.depth.flip(-1), batch.depth)


def test_landmarks_of_other_pictures_are_refused(faces: Path) -> None:
    other = FaceMeshes(["else.png"], torch.rand(1, 468, 3), torch.ones(1))
    other.write(faces / "other.npz")
    with pytest.raises(InputError, match=r"other\.npz has no landmarks of any picture"):
        load_views([faces / "faces.tar"], faces / "other.npz")


def test_views_are_indexed(faces: Path) -> None:
    views = read_views(faces)
    assert torch.equal(views.batch([1, 3], 16).pictures[1], views.pictures[3].float() / 255.0)


# --- runs ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_train_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == config().steps
    prior = prior_config(folder / "last.safetensors")
    folder = train_on_two(prior, faces, tmp_path / "prior")
    assert load_state(folder / "state.safetensors")[1]["step"] == prior.steps


def test_a_stopped_run_resumes_bit_for_bit(faces: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    uninterrupted = run_training(config(), whole, faces)
    run_training(config(), stopped, faces, max_steps=3)
    resumed = run_training(config(), stopped, faces)
    assert (uninterrupted.step, uninterrupted.best) == (resumed.step, resumed.best)
    assert_same_networks(whole, stopped)
    assert (whole / "validation.png").is_file()
    lifter = load_model(whole / "best.safetensors", kind="prior3d-lifter")
    untrained = build("prior3d-lifter-small", config().network)
    assert sum(value.numel() for value in lifter.parameters()) == sum(
        value.numel() for value in untrained.parameters()
    )


@pytest.mark.parametrize("estimator", ["diffusion", "regression"])
def test_the_prior_is_trained_on_the_lifters_planes(faces: Path, tmp_path: Path, estimator: str) -> None:
    run_training(config(), tmp_path / "lifter", faces, max_steps=3)
    weights = tmp_path / "lifter" / "best.safetensors"
    settings = prior_config(weights, estimator=estimator)
    uninterrupted = run_training(settings, tmp_path / "whole", faces)
    run_training(settings, tmp_path / "stopped", faces, max_steps=3)
    resumed = run_training(settings, tmp_path / "stopped", faces)
    assert (uninterrupted.step, uninterrupted.best) == (resumed.step, resumed.best)
    assert_same_networks(tmp_path / "whole", tmp_path / "stopped")
    prior: Any = load_model(tmp_path / "whole" / "best.safetensors", kind="prior3d-prior")
    # The decoder is the lifter's, unchanged; the normalizer is calibrated on the lifter's planes.
    lifter: Any = load_model(weights, kind="prior3d-lifter")
    for name, value in lifter.decoder.state_dict().items():
        torch.testing.assert_close(prior.decoder.state_dict()[name], value, atol=0, rtol=1e-6)
    views = read_views(faces).batch([0, 1, 2, 3], None)
    with torch.no_grad():
        planes = lifter(views.pictures, views.cameras)
    assert prior.normalizer.normalise(planes, views.cameras)[:, :12].std() == pytest.approx(1.0, abs=0.2)
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "psnr_rgb" in line] == [3, 6]


def test_a_run_resumes_after_a_setting_was_added(faces: Path, tmp_path: Path) -> None:
    run_training(config(), tmp_path / "lifter", faces, max_steps=2)
    settings = prior_config(tmp_path / "lifter" / "last.safetensors")
    run_training(settings, tmp_path / "run", faces, max_steps=2)
    state = tmp_path / "run" / "state.safetensors"
    parts, facts = load_state(state)
    del facts["network"]["temperature"]
    save_state(state, parts, facts)
    assert run_training(settings, tmp_path / "run", faces, max_steps=3).step == 3
    parts, facts = load_state(state)
    facts["network"]["sampling_steps"] = 7
    save_state(state, parts, facts)
    with pytest.raises(SettingError, match="holds a run of another network"):
        run_training(settings, tmp_path / "run", faces)


def test_scores_of_a_lifter_equal_those_of_other_libraries(faces: Path, shared_asset: Find) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    shared_asset("lpips_squeeze.pt")
    torch.manual_seed(0)
    lifter: Any = build("prior3d-lifter-small", config().network).eval()
    views = read_views(faces)
    scores = measure_lifter(lifter, views, 64, LPIPS("squeeze"))
    view = views.batch([1], 64)
    with torch.no_grad():
        rendering = lifter.render(lifter(view.pictures, view.cameras), view.cameras, 64)
    picture, colour = (image[0].numpy() for image in (view.pictures, rendering.colour.clamp(0, 1)))
    expected = peak_signal_noise_ratio(picture, colour, data_range=1)
    assert scores.values("psnr_rgb")[1] == pytest.approx(expected, abs=1e-3)
    inside = view.mask[0, 0].numpy()
    depths = (depth[0, 0].numpy()[inside] for depth in (rendering.depth, view.depth))
    assert scores.values("depth_correlation")[1] == pytest.approx(np.corrcoef(*depths)[0, 1], abs=1e-4)
    row = lifter_row(scores)
    assert row["images"] == 4
    assert row["psnr_rgb_ci"][0] <= row["psnr_rgb"] <= row["psnr_rgb_ci"][1]
    assert render_views(lifter, views, [0, 2], 32).shape == (2 * 7, 3, 32, 32)


# --- components ---------------------------------------------------------------------------------------------


def test_a_component_is_published_and_shown(faces: Path, tmp_path: Path) -> None:
    run_training(config(), tmp_path / "run", faces, max_steps=3)
    weights, published = tmp_path / "run" / "best.safetensors", tmp_path / "one.safetensors"
    result = CliRunner().invoke(app, ["models", "publish", str(weights), "one", "--to", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert load_model(published, kind="prior3d-lifter").training is False
    result = CliRunner().invoke(app, ["models", "show", str(published)])
    assert "method: prior3d-lifter" in result.output
    with pytest.raises(InputError, match="holds prior3d-lifter, not prior3d-prior"):
        load_model(published, kind="prior3d-prior")


@pytest.mark.parametrize("name", sorted(shipped_components()))
def test_shipped_components_load_and_have_a_card(name: str) -> None:
    path = shipped_components()[name]
    load_model(path, kind=read_metadata(path)["method"])
    assert path.with_suffix(".md").is_file()
    assert path.stat().st_size < 16 * 2**20


def test_planes_and_denoiser_must_have_one_size() -> None:
    with pytest.raises(SettingError, match="denoiser: generates planes of 64² texels, the decoder reads 32²"):
        build("prior3d-prior-small", {"planes": {"side": 32}})


@pytest.mark.parametrize("name", [preset for spec in COMPONENTS.values() for preset in spec.presets])
def test_every_preset_of_every_component_is_built(name: str) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build(name).parameters()) > 5e5


def test_unknown_components_and_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no method or component is called 'prior4d'"):
        build("prior4d")
    with pytest.raises(InputError, match="no such model"):
        load_model(tmp_path / "gone.safetensors", kind="prior3d-lifter")
