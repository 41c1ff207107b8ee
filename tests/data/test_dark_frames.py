"""Dark faces from videos and pictures: selection, reasons for rejection, resumed runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import InputError, OutputError
from lumiface.data.collect.dark_frame_files import collect_dark_faces
from lumiface.data.collect.dark_frames import (
    DarkFaceSelector,
    DarkFrameConfig,
    mean_luma,
    picture_hash,
    sharpness,
)
from lumiface.data.collect.frames import open_frames
from lumiface.imaging.io import decode_rgb8, encode_png
from lumiface.imaging.quantize import to_uint8

av = pytest.importorskip("av")
CONFIG = DarkFrameConfig(size=128, min_side=100)


def portrait(astronaut: Tensor, light: float = 0.25, blur: int = 0) -> np.ndarray:
    """The astronaut's upper half in a fraction of its light, (320, 400, 3) uint8."""
    picture = light * astronaut[..., :320, 60:460]
    if blur:
        picture = F.avg_pool2d(F.pad(picture, (blur,) * 4, mode="replicate"), 2 * blur + 1, stride=1)
    return np.ascontiguousarray(to_uint8(picture)[0].permute(1, 2, 0).numpy())


def write_video(path: Path, frames: list[np.ndarray], rate: int = 4) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_why_a_frame_is_taken_or_not(astronaut: Tensor) -> None:
    selector = DarkFaceSelector(CONFIG)
    face = selector(portrait(astronaut))
    assert not isinstance(face, str)
    assert face.picture.shape == (128, 128, 3)
    assert face.luma == pytest.approx(mean_luma(face.picture))
    assert CONFIG.min_luma < face.luma < CONFIG.max_luma
    assert selector(portrait(astronaut)) == "duplicate"
    assert selector(portrait(astronaut, 0.2)) == "duplicate"  # in other light still the same picture
    assert selector(portrait(astronaut, 1.0)) == "bright"
    assert selector(np.full((200, 200, 3), 20, np.uint8)) == "no face"
    assert DarkFaceSelector(DarkFrameConfig(min_side=400))(portrait(astronaut)) == "small"
    assert DarkFaceSelector(CONFIG)(portrait(astronaut, blur=6)) == "blurred"
    assert DarkFaceSelector(CONFIG.model_copy(update={"min_luma": 0.19}))(portrait(astronaut)) == "black"


def test_sharpness_is_of_the_face_and_not_of_its_light(astronaut: Tensor) -> None:
    face = F.interpolate(astronaut[..., 30:286, 100:356], size=(256, 256), mode="area")
    whole = sharpness(face)
    assert sharpness(0.3 * face) == pytest.approx(whole, rel=0.15)
    soft = F.avg_pool2d(F.pad(face, (4,) * 4, mode="replicate"), 9, stride=1)
    assert sharpness(soft) < 0.2 * whole


def test_a_hash_is_of_the_picture_and_not_of_its_light(astronaut: Tensor) -> None:
    face, other = astronaut[..., 30:286, 100:356], astronaut[..., 200:456, 200:456]
    noisy = (0.3 * face + 0.01 * torch.randn(face.shape, generator=torch.Generator().manual_seed(0))).clamp(
        0, 1
    )
    assert (picture_hash(face) ^ picture_hash(noisy)).bit_count() < 15
    assert (picture_hash(face) ^ picture_hash(other)).bit_count() > 30


@pytest.fixture
def footage(tmp_path: Path, astronaut: Tensor) -> Path:
    """A clip that fades from dark to bright, one dark picture, and a file that is no video."""
    folder = tmp_path / "footage"
    folder.mkdir()
    write_video(folder / "clip.mp4", [portrait(astronaut, light) for light in (0.22, 0.24, 0.5, 1.0)])
    (folder / "mirror.png").write_bytes(encode_png(np.ascontiguousarray(portrait(astronaut)[:, ::-1])))
    return folder


def test_faces_are_collected_once(footage: Path, tmp_path: Path) -> None:
    sources = open_frames([footage])
    assert [source.name for source in sources] == ["clip.mp4", "mirror.png"]
    assert [frame.time for frame in sources[0].frames(0.5)] == [0.0, 0.5]
    found = collect_dark_faces(sources, tmp_path / "out", CONFIG.model_copy(update={"every": 0.25}))
    assert (found.frames, found.written, found.failures) == (5, 2, [])
    assert found.rejected == {"duplicate": 1, "bright": 2}
    records = [json.loads(line) for line in found.report.read_text().splitlines()]
    faces = [face["file"] for record in records for face in record["faces"]]
    assert [Path(face).parts[0] for face in faces] == ["clip", "mirror.png"]
    for face in faces:
        assert decode_rgb8((tmp_path / "out" / face).read_bytes(), face).shape == (128, 128, 3)
    before = found.report.read_bytes()
    again = collect_dark_faces(sources, tmp_path / "out", CONFIG.model_copy(update={"every": 0.25}))
    assert (again.frames, again.written) == (5, 2)
    assert found.report.read_bytes() == before
    with pytest.raises(OutputError, match="other settings"):
        collect_dark_faces(sources, tmp_path / "out", CONFIG)


def test_a_broken_video_loses_nothing_else(footage: Path, tmp_path: Path) -> None:
    whole = (footage / "clip.mp4").read_bytes()
    (footage / "clip.mp4").write_bytes(whole[: len(whole) // 3])
    command = [
        "degrade",
        str(footage),
        "--protocol",
        "dark-frames",
        "--device",
        "cpu",
        "-o",
        str(tmp_path / "out"),
    ]
    config = tmp_path / "config.yaml"
    config.write_text("size: 128\nmin_side: 100\n")
    result = CliRunner().invoke(app, [*command, "--config", str(config)])
    assert result.exit_code == 1
    assert "clip.mp4 cannot be read as a video" in result.output
    assert (tmp_path / "out" / "mirror.png").is_file()
    (footage / "clip.mp4").write_bytes(whole)  # repaired: it is examined again
    result = CliRunner().invoke(app, [*command, "--config", str(config)])
    assert result.exit_code == 0, result.output
    assert "2 dark faces of 3 frames" in result.output


def test_mistakes_are_one_line(footage: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no video or picture"):
        open_frames([tmp_path / "empty"])
    base = ["degrade", str(footage), "-o", str(tmp_path / "out")]
    for extra, message in (
        (["--protocol", "fog"], "--protocol fog: choose from llf, frr, blind, dark-blind, dark-frames"),
        (["--protocol", "dark-frames", "--seed", "1"], "--seed is for llf and frr and blind and dark-blind"),
        (["--every", "2"], "--every is for dark-frames"),
        (["--protocol", "dark-frames", "--max-luma", "0.01"], "min_luma 0.02 must be below max_luma 0.01"),
    ):
        result = CliRunner().invoke(app, [*base, *extra])
        assert result.exit_code == 2, result.output
        assert message in result.output
        assert result.output.count("\n") == 1
