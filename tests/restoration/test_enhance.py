"""`restore --task enhance`: the same size, guided by a 3D prior that can be saved."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from typer.testing import CliRunner, Result

from lumiface.cli import app
from lumiface.core.errors import SettingError
from lumiface.imaging.codec.gif import encode_gif
from lumiface.imaging.color import luma
from lumiface.imaging.io import Picture
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.registry import list_models
from lumiface.restoration.prior_view import FRAMES, prior_sheet, render_prior_views, save_prior
from lumiface.restoration.restorer import RestoreConfig, Restorer
from lumiface.restoration.tasks import FACE_TASKS, resolve_task
from lumiface.training.checkpoint import save_weights

TINY: dict[str, Any] = {
    "planes": {"channels": 4, "side": 16, "hidden": 8},
    "denoiser": {"components": 6, "side": 16, "widths": (16, 16, 16), "condition": 8, "embedding": 16},
    "render": {"coarse": 4, "fine": 4},
    "sampling_steps": 2,
}


def stored(folder: Path, prior: dict[str, Any] | None) -> Path:
    """An untrained network in a file."""
    torch.manual_seed(0)
    settings = {"prior": prior, "enhancer": {"widths": (8, 8, 16)}, "prior_size": 16}
    config = Prior3DConfig.model_validate(settings)
    path = folder / f"{'guided' if prior else 'alone'}.safetensors"
    weights = Prior3D(config).state_dict()
    save_weights(path, weights, method="prior3d", config=config, provenance={"best_psnr_y": 1.0})
    return path


@pytest.fixture
def photo(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    """A dark photograph of one face, 160 x 150 pixels."""
    path = tmp_path / "photos" / "party.png"
    path.parent.mkdir()
    small = Image.fromarray(astronaut_uint8[:300, 60:380]).resize((160, 150), Image.Resampling.BOX)
    Image.fromarray((np.asarray(small) * 0.3).astype(np.uint8)).save(path)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_the_size_stays_and_the_prior_is_shown(photo: Path, tmp_path: Path) -> None:
    command = ("restore", photo.parent, "--model", stored(tmp_path, TINY), "--save-prior", "--device", "cpu")
    result = run(*command)
    assert result.exit_code == 0, result.output
    names = {path.name for path in photo.parent.iterdir()}
    assert names == {"party.png", "party_lumiface.png", "party_prior_lumiface.png", "party_turn_lumiface.gif"}
    with Image.open(photo.parent / "party_lumiface.png") as lit:
        assert lit.size == (160, 150)
    with Image.open(photo.parent / "party_prior_lumiface.png") as sheet:
        assert sheet.size == (4 * 260 + 4, 264)  # dark, rendering, depth, lit
    with Image.open(photo.parent / "party_turn_lumiface.gif") as turntable:
        assert turntable.size == (256, 256)
        assert turntable.n_frames == 2 * FRAMES - 2
    again = run(*command, "--overwrite")  # results are not inputs
    assert "made by lumiface" in again.output
    assert {path.name for path in photo.parent.iterdir()} == names


def test_the_same_photo_twice_gives_the_same_bytes(photo: Path, tmp_path: Path) -> None:
    model = stored(tmp_path, TINY)
    results: list[bytes] = []
    for name in ("one", "two"):
        run(
            "restore",
            photo,
            "-o",
            tmp_path / f"{name}.png",
            "--model",
            model,
            "--device",
            "cpu",
            "--save-prior",
        )
        results.append((tmp_path / f"{name}.png").read_bytes() + (tmp_path / f"{name}_turn.gif").read_bytes())
    assert results[0] == results[1]


def test_a_larger_result_may_be_asked_for(photo: Path, tmp_path: Path) -> None:
    result = run("restore", photo, "-o", tmp_path / "x2.png", "--model", stored(tmp_path, TINY), "--scale", 2)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "x2.png") as lit:
        assert lit.size == (320, 300)


def test_without_a_prior_there_is_nothing_to_show(photo: Path, tmp_path: Path) -> None:
    restorer = Restorer(str(stored(tmp_path, None)), RestoreConfig(save_prior=True))
    rgb = torch.from_numpy(np.array(Image.open(photo))).permute(2, 0, 1)[None].float() / 255.0
    result = restorer(Picture(rgb))
    assert result.priors == []
    assert result.notes == ["no 3D prior to save: the model has none"]
    assert render_prior_views(restorer.face_restorer.network, rgb, rgb) is None


def test_tasks_and_models_must_fit(tmp_path: Path) -> None:
    guided = str(stored(tmp_path, TINY))
    assert resolve_task(None, guided)[0].name == "enhance"
    assert resolve_task("enhance", guided) == (FACE_TASKS["enhance"], guided)
    assert resolve_task(None, None)[0].name == "joint"
    with pytest.raises(SettingError, match="was not trained for the task joint; it is for: enhance"):
        resolve_task("joint", guided)
    with pytest.raises(SettingError, match="not trained for the task enhance; it is for: joint"):
        resolve_task("enhance", "lfsrnet-lite")
    assert (
        resolve_task("joint", "clahe + lfsrnet-lite")[1] == "clahe + lfsrnet-lite"
    )  # its tasks are unknown before it is loaded


@pytest.mark.skipif("prior3d-small" not in list_models(), reason="no enhancer ships")
def test_the_enhancer_that_ships_lights_a_face(photo: Path, tmp_path: Path) -> None:
    rgb = torch.from_numpy(np.array(Image.open(photo))).permute(2, 0, 1)[None].float() / 255.0
    restorer = Restorer(None, RestoreConfig(task="enhance", save_prior=True))
    result = restorer(Picture(rgb))
    assert result.picture.rgb.shape == rgb.shape
    (face,) = result.faces
    x1, y1, x2, y2 = (round(edge) for edge in face.box)
    before, after = (float(luma(each)[..., y1:y2, x1:x2].mean()) for each in (rgb, result.picture.rgb))
    assert after > 1.8 * before
    (view,) = result.priors
    assert 0.25 < float(view.rendering.mean()) < 0.9  # a face in normal light
    middle = view.depth[..., 54:90, 50:78].mean()
    assert middle > view.depth[..., 60:80, 22:32].mean()  # the nose stands out before the cheek's edge


def test_an_animation_holds_its_frames() -> None:
    frames = [torch.full((3, 20, 30), level) for level in (0.0, 0.5, 1.0)]
    with Image.open(io.BytesIO(encode_gif(frames, milliseconds=70))) as gif:
        shown = [np.asarray(frame.convert("RGB")).mean() for frame in ImageSequence.Iterator(gif)]
        assert (gif.info["duration"], gif.info["loop"]) == (70, 0)
    assert shown == pytest.approx([0.0, 127.5, 255.0], abs=2.0)
    with pytest.raises(ValueError, match="frames of one size"):
        encode_gif([], milliseconds=70)


def test_sheets_show_every_face(tmp_path: Path) -> None:
    network: Any = Prior3D(Prior3DConfig.model_validate({"prior": TINY, "prior_size": 16})).eval()
    dark = 0.2 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    view = render_prior_views(network, dark, dark + 0.5)
    assert view is not None
    assert view.turntable.shape == (FRAMES, 3, 128, 128)
    assert prior_sheet([view, view]).shape == (1, 3, 2 * 260 + 4, 4 * 260 + 4)
    written = save_prior([view, view], tmp_path / "party.jpg")
    assert [path.name for path in written] == ["party_prior.png", "party_turn.gif"]
