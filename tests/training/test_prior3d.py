"""Training lifter and prior: views with their cameras, and runs that stop and go on."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from PIL import Image
from typer.testing import CliRunner

from helpers import Find, train_on_two
from lumiface.cli import app
from lumiface.core.errors import InputError, SettingError
from lumiface.data.training.view_set import ViewSet, load_views
from lumiface.evaluation.studies.lifter import measure_lifter, turned_views
from lumiface.geometry.camera import camera_angles, mirror_camera, orbit_camera, project
from lumiface.geometry.mesh import FaceMeshes, canonical_face
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import COMPONENTS, build_component, load_component, read_metadata, shipped_components
from lumiface.training.checkpoint import load_state, save_state
from lumiface.training.config import RunConfig
from lumiface.training.part_config import DiffusionPriorRun, LifterRun
from lumiface.training.run import start
from lumiface.training.task import Limits, TrainResult

ANGLES = torch.tensor([[0.0, 0.0, 0.0], [12.0, 5.0, 0.0], [-15.0, 0.0, 3.0], [5.0, -6.0, 0.0]])


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find) -> Path:
    """Four crops with points as if each were the generic face seen by a known camera; a fifth has none."""
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
    seen = project(canonical_face().vertices.expand(4, -1, -1), orbit_camera(ANGLES), 64, 64)
    # Depth as MediaPipe gives it: in pixels, and relative.
    points = torch.cat([seen[..., :2], (seen[..., 2:] - 2.7) * 64 * 4.2647 / 2.7], dim=2)
    names = [f"{number}.png" for number in range(4)]
    FaceMeshes(names, points, torch.ones(4)).write(tmp_path / "meshes.npz")
    return tmp_path


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
    settings = config().model_dump() | {
        "component": "prior3d-prior-small",
        "lifter": str(lifter),
        "network": {
            "denoiser": {
                "components": 12,
                "side": 16,
                "widths": (16, 16, 16),
                "condition": 8,
                "embedding": 16,
            },
            "sampling_steps": 2,
            **network,
        },
        "recipe": {"calibrate": 3},
        "render_size": 32,
    }
    return DiffusionPriorRun(**settings)


def run(folder: Path, faces: Path, settings: RunConfig | None = None, **limits: Any) -> TrainResult:
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return start(settings or config(), folder, fabric, data_root=str(faces), limits=Limits(**limits))


def same_bits(one: Path, other: Path) -> None:
    states = [load_state(folder / "state.safetensors")[0] for folder in (one, other)]
    for network, values in states[0]["networks"].items():
        for name, value in values.items():
            assert torch.equal(value, states[1]["networks"][network][name]), name


@pytest.mark.slow
def test_two_processes_train_as_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == config().steps
    led = prior_config(folder / "last.safetensors")
    folder = train_on_two(led, faces, tmp_path / "led")
    assert load_state(folder / "state.safetensors")[1]["step"] == led.steps


def test_views_have_their_cameras(faces: Path) -> None:
    said: list[str] = []
    views = load_views([faces / "faces.tar"], faces / "meshes.npz", tell=said.append)
    assert (len(views), views.names) == (4, [f"{number}.png" for number in range(4)])
    assert said == ["4 views; 1 pictures have no points, 0 fit no camera"]
    torch.testing.assert_close(camera_angles(views.cameras), ANGLES, atol=0.3, rtol=0)
    batch = views.batch([2, 0], 32)
    assert batch.pictures.shape == (2, 3, 64, 64)
    assert batch.depth.shape == batch.mask.shape == (2, 1, 32, 32)
    inside = batch.depth[batch.mask]
    assert 2.4 < inside.min() < inside.max() < 2.8
    assert batch.depth[~batch.mask].abs().max() == 0
    mirrored = batch.mirrored()
    assert torch.equal(mirrored.pictures, batch.pictures.flip(-1))
    assert torch.equal(mirrored.cameras, mirror_camera(batch.cameras))
    # The nose is nearest, and the mirrored camera sees it on the other side.
    assert torch.equal(mirrored.depth.flip(-1), batch.depth)


def test_views_that_cannot_be(faces: Path) -> None:
    other = FaceMeshes(["else.png"], torch.rand(1, 468, 3), torch.ones(1))
    other.write(faces / "other.npz")
    with pytest.raises(InputError, match=r"other\.npz has no points of any picture"):
        load_views([faces / "faces.tar"], faces / "other.npz")


def test_a_stopped_run_ends_with_the_same_bits(faces: Path, tmp_path: Path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    straight = run(whole, faces)
    run(parted, faces, max_steps=3)
    resumed = run(parted, faces)
    assert (straight.step, straight.best) == (resumed.step, resumed.best)
    same_bits(whole, parted)
    assert (whole / "validation.png").is_file()
    lifter = load_component(whole / "best.safetensors", "prior3d-lifter")
    assert sum(p.numel() for p in lifter.parameters()) == sum(
        p.numel() for p in build_part_of_trial().parameters()
    )


@pytest.mark.parametrize("estimator", ["diffusion", "regression"])
def test_the_prior_learns_what_the_lifter_makes(faces: Path, tmp_path: Path, estimator: str) -> None:
    run(tmp_path / "lifter", faces, max_steps=3)
    lifter = tmp_path / "lifter" / "best.safetensors"
    settings = prior_config(lifter, estimator=estimator)
    straight = run(tmp_path / "whole", faces, settings)
    run(tmp_path / "parted", faces, settings, max_steps=3)
    resumed = run(tmp_path / "parted", faces, settings)
    assert (straight.step, straight.best) == (resumed.step, resumed.best)
    same_bits(tmp_path / "whole", tmp_path / "parted")
    prior: Any = load_component(tmp_path / "whole" / "best.safetensors", "prior3d-prior")
    # The renderer is the lifter's, and no step has changed it; the scale is that of the lifter's planes.
    lifted: Any = load_component(lifter, "prior3d-lifter")
    for name, value in lifted.decoder.state_dict().items():
        torch.testing.assert_close(prior.decoder.state_dict()[name], value, atol=0, rtol=1e-6)
    views = load_views([faces / "faces.tar"], faces / "meshes.npz", tell=lambda line: None).batch(
        [0, 1, 2, 3], None
    )
    with torch.no_grad():
        planes = lifted(views.pictures, views.cameras)
    assert prior.normalizer.normalise(planes, views.cameras)[:, :12].std() == pytest.approx(1.0, abs=0.2)
    losses = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in losses if "psnr_rgb" in line] == [3, 6]


def test_a_run_goes_on_after_a_setting_was_invented(faces: Path, tmp_path: Path) -> None:
    run(tmp_path / "lifter", faces, max_steps=2)
    settings = prior_config(tmp_path / "lifter" / "last.safetensors")
    run(tmp_path / "run", faces, settings, max_steps=2)
    state = tmp_path / "run" / "state.safetensors"
    parts, facts = load_state(state)
    del facts["network"]["temperature"]
    save_state(state, parts, facts)
    assert run(tmp_path / "run", faces, settings, max_steps=3).step == 3
    parts, facts = load_state(state)
    facts["network"]["sampling_steps"] = 7
    save_state(state, parts, facts)
    with pytest.raises(SettingError, match="holds a run of another network"):
        run(tmp_path / "run", faces, settings)


def test_scores_are_those_of_other_libraries(faces: Path, tmp_path: Path, shared_asset: Find) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    shared_asset("lpips_squeeze.pt")
    torch.manual_seed(0)
    lifter: Any = build_component("prior3d-lifter-small", config().network).eval()
    views = load_views([faces / "faces.tar"], faces / "meshes.npz", tell=lambda line: None)
    scores = measure_lifter(lifter, views, 64, LPIPS("squeeze"))
    one = views.batch([1], 64)
    with torch.no_grad():
        seen = lifter.render(lifter(one.pictures, one.cameras), one.cameras, 64)
    picture, rendering = (p[0].numpy() for p in (one.pictures, seen.colour.clamp(0, 1)))
    assert scores.psnr_rgb[1] == pytest.approx(
        peak_signal_noise_ratio(picture, rendering, data_range=1), abs=1e-3
    )
    inside = one.mask[0, 0].numpy()
    expected = np.corrcoef(seen.depth[0, 0].numpy()[inside], one.depth[0, 0].numpy()[inside])[0, 1]
    assert scores.depth[1] == pytest.approx(expected, abs=1e-4)
    told = scores.as_dict()
    assert told["images"] == 4
    assert told["psnr_rgb_ci"][0] <= told["psnr_rgb"] <= told["psnr_rgb_ci"][1]
    assert turned_views(lifter, views, [0, 2], 32).shape == (2 * 7, 3, 32, 32)


def test_a_part_is_published_and_shown(faces: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", faces, max_steps=3)
    said = CliRunner().invoke(
        app,
        ["models", "publish", str(tmp_path / "run" / "best.safetensors"), "one", "--to", str(tmp_path)],
    )
    assert said.exit_code == 0, said.output
    assert load_component(tmp_path / "one.safetensors", "prior3d-lifter").training is False
    said = CliRunner().invoke(app, ["models", "show", str(tmp_path / "one.safetensors")])
    assert "method: prior3d-lifter" in said.output
    with pytest.raises(InputError, match="holds prior3d-lifter, not prior3d-prior"):
        load_component(tmp_path / "one.safetensors", "prior3d-prior")


@pytest.mark.parametrize("name", sorted(shipped_components()))
def test_parts_that_ship_are_whole(name: str) -> None:
    path = shipped_components()[name]
    facts = read_metadata(path)
    load_component(path, facts["method"])
    assert path.with_suffix(".md").is_file()
    assert path.stat().st_size < 16 * 2**20


def test_planes_and_denoiser_must_be_alike() -> None:
    with pytest.raises(SettingError, match="denoiser: draws planes of 64² texels, the decoder reads 32²"):
        build_component("prior3d-prior-small", {"planes": {"side": 32}})


def build_part_of_trial() -> torch.nn.Module:
    return build_component("prior3d-lifter-small", config().network)


@pytest.mark.parametrize("name", [preset for part in COMPONENTS.values() for preset in part.presets])
def test_every_preset_of_every_part_is_built(name: str) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build_component(name).parameters()) > 5e5


def test_mistakes_are_one_line(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no part is called 'prior4d'"):
        build_component("prior4d")
    with pytest.raises(InputError, match="no such model"):
        load_component(tmp_path / "gone.safetensors", "prior3d-lifter")


def test_a_view_set_is_read_by_number(faces: Path) -> None:
    views: ViewSet = load_views([faces / "faces.tar"], faces / "meshes.npz", tell=lambda line: None)
    assert torch.equal(views.batch([1, 3], 16).pictures[1], views.pictures[3].float() / 255.0)
