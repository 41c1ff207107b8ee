"""Landmarks of whole collections: saving, resuming, errors; MediaPipe is replaced by a fake."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import AssetMissing, InputError
from lumiface.geometry.landmarker import FoundFace, MediaPipeLandmarker
from lumiface.geometry.mesh import MAX_PIXELS, FaceMeshes
from lumiface.geometry.prepare import prepare_meshes

NAMES = [f"{number}.png" for number in range(7)]


def grey(number: int) -> np.ndarray:
    """Image `number` of the collection, of a distinct grey; number 3 is black."""
    return np.full((20, 30, 3), 0 if number == 3 else 10 * number + 10, np.uint8)


class Landmarks:
    """Detects a face in every image that is not black, with the grey as coordinates; records its calls."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.levels: list[int] = []
        self.stop_after = stop_after

    def __call__(self, image: np.ndarray) -> FoundFace | None:
        if len(self.levels) == self.stop_after:
            raise KeyboardInterrupt
        level = int(image.mean())
        self.levels.append(level)
        return FoundFace(torch.full((468, 3), float(level)), 0.75) if level else None


def test_landmarks_are_detected_and_stored(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    result = prepare_meshes(
        NAMES, grey, Landmarks(), tmp_path / "m.npz", progress=lambda done, total: calls.append((done, total))
    )
    assert result.failed == []
    assert calls == [(done, 7) for done in range(7)]
    meshes = FaceMeshes.read(tmp_path / "m.npz")
    assert list(meshes) == [name for name in NAMES if name != "3.png"]
    assert meshes.missed == ("3.png",)
    assert (meshes["4.png"] == 50).all()
    assert meshes.presence("4.png") == 0.75
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


@pytest.mark.parametrize("every", [2, 100])
def test_an_interrupted_run_is_resumed(every: int, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare_meshes(NAMES, grey, Landmarks(stop_after=5), tmp_path / "m.npz", every=every)
    assert not (tmp_path / "m.npz").exists()
    assert len(FaceMeshes.read(tmp_path / ".m.npz.partial")) == 4
    second = Landmarks()
    prepare_meshes(NAMES, grey, second, tmp_path / "m.npz", every=every)
    assert second.levels == [60, 70]  # the image without a face is not repeated either
    uninterrupted = tmp_path / "uninterrupted.npz"
    prepare_meshes(NAMES, grey, Landmarks(), uninterrupted)
    resumed, expected = FaceMeshes.read(tmp_path / "m.npz"), FaceMeshes.read(uninterrupted)
    assert set(resumed) == set(expected)
    assert resumed.missed == expected.missed
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)
    assert not (tmp_path / ".m.npz.partial").exists()


def test_a_complete_file_is_extended(tmp_path: Path) -> None:
    prepare_meshes(NAMES[:2], grey, Landmarks(), tmp_path / "m.npz")
    more = Landmarks()
    result = prepare_meshes(NAMES[1:4], lambda number: grey(number + 1), more, tmp_path / "m.npz")
    assert more.levels == [30, 0]
    assert set(result.meshes) == {"0.png", "1.png", "2.png"}


def test_unreadable_images_are_reported_and_retried(tmp_path: Path) -> None:
    def read(number: int) -> np.ndarray:
        if number == 1:
            raise InputError("1.png is cut off; copy it again")
        return np.zeros((1, MAX_PIXELS + 1, 3), np.uint8) if number == 2 else grey(number)

    result = prepare_meshes(NAMES, read, Landmarks(), tmp_path / "m.npz")
    assert len(result.failed) == 2
    assert result.failed[0] == "1.png is cut off; copy it again"
    assert "2.png is 2048x1" in result.failed[1]
    assert set(NAMES) - set(result.meshes) == {"1.png", "2.png", "3.png"}
    again = Landmarks()
    assert prepare_meshes(NAMES, grey, again, tmp_path / "m.npz").failed == []
    assert again.levels == [20, 30]


@pytest.mark.parametrize("value", [torch.nan, 1e6])
def test_implausible_coordinates_count_as_no_face(value: float, tmp_path: Path) -> None:
    result = prepare_meshes(
        ["a"], grey, lambda _: FoundFace(torch.full((468, 3), value), 1.0), tmp_path / "m.npz"
    )
    assert result.meshes.missed == ("a",)


def test_duplicate_names_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png occurs twice"):
        prepare_meshes(["a.png", "b.png", "a.png"], grey, Landmarks(), tmp_path / "m.npz")
    (tmp_path / "m.npz").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"m\.npz does not hold face landmarks"):
        prepare_meshes(NAMES, grey, Landmarks(), tmp_path / "m.npz")
    assert (tmp_path / "m.npz").read_bytes() == b"something else"


class FakeMediaPipe:
    """The part of mediapipe's tasks interface that is used, as its documentation describes it."""

    ImageFormat = SimpleNamespace(SRGB="srgb")

    def __init__(self) -> None:
        self.closed = 0
        self.options: SimpleNamespace | None = None
        self.tasks = SimpleNamespace(
            BaseOptions=lambda *, model_asset_path: model_asset_path,
            vision=SimpleNamespace(
                FaceLandmarkerOptions=lambda **options: SimpleNamespace(**options),
                FaceLandmarker=SimpleNamespace(create_from_options=self.create),
            ),
        )

    def create(self, options: SimpleNamespace) -> FakeMediaPipe:
        if Path(options.base_options).read_bytes() != b"model":
            raise RuntimeError("Unable to open zip archive.\nand much more")
        self.options = options
        return self

    def Image(self, *, image_format: str, data: np.ndarray) -> np.ndarray:  # noqa: N802  mediapipe's name
        assert image_format == "srgb"
        assert data.flags.c_contiguous
        assert data.dtype == np.uint8
        return data

    def detect(self, image: np.ndarray) -> SimpleNamespace:
        if image.max() == 0:
            return SimpleNamespace(face_landmarks=[])
        points = [SimpleNamespace(x=0.5, y=0.25, z=-0.125, presence=None) for _ in range(478)]
        return SimpleNamespace(face_landmarks=[points])

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def mediapipe(monkeypatch: pytest.MonkeyPatch) -> FakeMediaPipe:
    fake = FakeMediaPipe()
    monkeypatch.setitem(sys.modules, "mediapipe", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "face.task"
    path.write_bytes(b"model")
    return path


def test_mediapipes_relative_coordinates_become_pixels(mediapipe: FakeMediaPipe, model: Path) -> None:
    with MediaPipeLandmarker(model) as landmarker:
        assert mediapipe.options is not None
        assert mediapipe.options.num_faces == 1
        face = landmarker(np.full((100, 200, 3), 9, np.uint8)[:, ::-1])
        assert landmarker(np.zeros((100, 200, 3), np.uint8)) is None
    assert face is not None
    assert face.points.shape == (468, 3)
    assert face.points[17].tolist() == [100, 25, -25]  # z has the unit of x
    assert face.presence == 1
    assert mediapipe.closed == 1


def test_a_missing_package_or_model_gives_a_one_line_error(
    mediapipe: FakeMediaPipe, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.write_bytes(b"nonsense")
    with pytest.raises(
        InputError, match=r"face\.task is no face landmarker .*Unable to open zip archive\.\)"
    ) as error:
        MediaPipeLandmarker(model)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"gone\.task: there is no such file"):
        MediaPipeLandmarker(tmp_path / "gone.task")
    monkeypatch.setattr("lumiface.core.assets._folders", lambda: [tmp_path])
    with pytest.raises(AssetMissing, match=r"face_landmarker\.task is missing"):
        MediaPipeLandmarker()
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(AssetMissing, match=r"pip install 'lumiface\[landmarks\]'"):
        MediaPipeLandmarker(model)


def test_the_command(mediapipe: FakeMediaPipe, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    (folder / "more").mkdir(parents=True)
    for name, level in {"a.png": 50, "more/b.png": 60, "c.png": 0}.items():
        Image.new("RGB", (40, 20), (level,) * 3).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    arguments = ["prepare-meshes", str(folder), "-o", str(tmp_path / "m.npz"), "--model", str(model)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "2 of 4 faces" in result.stdout
    assert "broken.jpg" in result.stderr
    assert "c.png: no face found" in result.stderr
    meshes = FaceMeshes.read(tmp_path / "m.npz")
    assert set(meshes) == {"a.png", "more/b.png"}
    assert meshes["a.png"][0].tolist() == [20, 5, -5]
    (folder / "broken.jpg").unlink()
    (folder / "c.png").unlink()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "2 of 2 faces" in result.stdout
