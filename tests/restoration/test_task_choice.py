"""How much detail a face has, and which task serves a photograph."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import SettingError
from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.effective_resolution import CROP_SIZE, effective_resolution
from lumiface.faces.find import find_faces
from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.io import Picture
from lumiface.registry.spec import FACES_OF_256, SMALL_FACES, WorkingSizes
from lumiface.restoration import auto_restorer as auto_module
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.restoration.tasks import (
    FACE_TASKS,
    TOO_DARK,
    FaceTaskName,
    own_detail,
    resolve_task,
    select_task,
)

ALL: dict[FaceTaskName, WorkingSizes] = {
    "joint": SMALL_FACES,
    "enhance": FACES_OF_256,
    "blind": WorkingSizes(smallest=128, largest=128, trusted=128),
}


@pytest.fixture(scope="module")
def face(astronaut_uint8: np.ndarray) -> torch.Tensor:
    """A sharp, aligned face of 256 pixels."""
    rgb = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].float() / 255.0
    (found,) = find_faces(rgb, FaceDetector().eval(), which="largest")
    return crop_face(rgb, face_matrix(found), CROP_SIZE)


def through(face: torch.Tensor, side: int, quality: int | None = None) -> torch.Tensor:
    """Reduced to `side` pixels by Pillow, compressed, and enlarged again."""
    picture = Image.fromarray((face[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    small = picture.resize((side, side), Image.Resampling.LANCZOS)
    if quality is not None:
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=quality)
        small = Image.open(buffer)
    large = np.asarray(small.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BICUBIC)).copy()
    return torch.from_numpy(large).permute(2, 0, 1)[None].float() / 255.0


@pytest.mark.parametrize("side", [24, 32, 48, 64, 96])
def test_detail_is_estimated_whatever_light_and_noise(face: torch.Tensor, side: int) -> None:
    small = through(face, side)
    assert effective_resolution(small) == pytest.approx(side, rel=0.4)
    dark = effective_resolution(small * 0.4)
    assert dark == pytest.approx(effective_resolution(small), rel=1e-3)  # contrast is no detail
    noise = 0.02 * torch.randn(small.shape, generator=torch.Generator().manual_seed(0))
    assert effective_resolution((small + noise).clamp(0, 1)) == pytest.approx(side, rel=0.45)


def test_estimates_grow_with_detail(face: torch.Tensor) -> None:
    estimates = [effective_resolution(through(face, side)) for side in (16, 24, 32, 48, 64, 96, 128)]
    assert estimates == sorted(estimates)
    assert effective_resolution(face) > 120
    assert effective_resolution(through(face, 48, quality=60)) < 90
    with pytest.raises(ValueError, match="256"):
        effective_resolution(face[..., :128])


@pytest.mark.parametrize(
    ("side", "light", "detail", "task"),
    [
        (40, 0.1, 38, "joint"),
        (300, 0.1, 40, "joint"),
        (300, 0.1, 200, "joint"),
        (300, 0.5, 50, "joint"),
        (300, 0.5, 70, "blind"),
        (300, 0.5, 90, None),  # blurred, but the network would give no more
        (300, 0.5, 240, None),
        (60, 0.5, 58, "joint"),
    ],
)
def test_light_and_detail_decide(side: float, light: float, detail: float, task: str | None) -> None:
    face = FaceMeasures(side, light, detail)
    assert select_task(face, ALL).task == task
    # Nothing else ships.
    assert select_task(face, {"joint": SMALL_FACES}).task == ("joint" if light < 0.3 or side < 96 else None)


def test_detail_counts_alike_in_the_dark_and_in_the_light() -> None:
    assert select_task(FaceMeasures(256, 0.1, 50), ALL).why == "dark and blurred"
    assert select_task(FaceMeasures(256, 0.5, 50), ALL).why == "enough light, blurred"
    assert select_task(FaceMeasures(256, 0.1, 200), ALL).why == "dark, enough detail"


def test_ringing_between_blocks_is_no_detail() -> None:
    """A face reduced to 64 pixels, enlarged to 256 and compressed at quality 20 is read as 99 to 189."""
    blocky = FaceMeasures(256, 0.5, 165, blocks=1.9)
    assert select_task(blocky, ALL).why == "enough light, blocks"
    assert own_detail(blocky) == pytest.approx(102.4)
    assert own_detail(FaceMeasures(256, 0.5, 45, blocks=1.9)) == 45
    assert select_task(FaceMeasures(256, 0.5, 245, blocks=3.0), ALL).why == "enough light, blocks"
    for other in (
        FaceMeasures(256, 0.5, 165, blocks=1.2),  # weak blocks: what is read is there
        FaceMeasures(256, 0.5, 240, blocks=1.9),  # sharp, but compressed
        FaceMeasures(743, 0.5, 150, blocks=3.0),  # large: the blocks are finer than what the network sees
    ):
        assert select_task(other, ALL).task is None
        assert own_detail(other) == other.detail


def test_noise_below_four_levels_is_never_acted_on() -> None:
    for noise in (1.0, 2.5, 3.9):
        assert select_task(FaceMeasures(125, 0.5, 120, noise=noise), ALL).task is None
    assert select_task(FaceMeasures(125, 0.5, 120, noise=10.0), ALL).why == "enough light, noisy"
    assert select_task(FaceMeasures(256, 0.5, 240, noise=10.0), ALL).task is None  # its detail would be lost


def test_a_face_too_dark_to_read_is_given_light_only() -> None:
    assert select_task(FaceMeasures(200, 0.019, 60), ALL).why == TOO_DARK
    assert select_task(FaceMeasures(200, 0.021, 60), ALL).why == "dark and blurred"


def test_auto_says_what_it_does_and_may_be_overruled(
    astronaut_uint8: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_module, "available_tasks", lambda: {"joint": SMALL_FACES})
    small = np.array(Image.fromarray(astronaut_uint8[:300, 60:380]).resize((160, 150))) * 0.3
    picture = Picture(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255.0)
    restorer = Restorer(None, RestoreConfig(task="auto"))
    result = restorer(picture)
    assert result.task == "joint"
    assert result.notes == ["auto: 1 face joint (dark, small)"]
    (report,) = result.faces
    assert report.before.light < 0.3
    assert 20 < report.before.detail <= report.before.side
    overruled = Restorer(None, RestoreConfig(task="joint"))(picture)
    assert torch.equal(result.picture.rgb, overruled.picture.rgb)
    with pytest.raises(SettingError, match="auto chooses the model itself"):
        Restorer("lfsrnet-lite", RestoreConfig(task="auto"))


def test_the_command_says_it(astronaut_uint8: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray((astronaut_uint8[:300, 60:380] * 0.3).astype(np.uint8)).resize((160, 150)).save(
        tmp_path / "party.png"
    )
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "party.png"), "--task", "auto"])
    assert result.exit_code == 0, result.output
    assert "auto: 1 face joint (dark, small)" in result.output
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "party.png"), "--task", "nice"])
    assert result.exit_code == 2
    assert "auto" in result.output


def test_every_task_has_a_name_of_its_own() -> None:
    assert all(name == task.name for name, task in FACE_TASKS.items())
    assert resolve_task("joint", None)[0] is FACE_TASKS["joint"]
