"""The command line with weights of other projects: what reaches the network, and what is said of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn
from typer.testing import CliRunner, Result

import lumiface
from lumiface.cli import app
from lumiface.imaging.io import read_picture
from lumiface.imaging.quantize import quantize

esrgan: Any = pytest.importorskip("spandrel.architectures.ESRGAN")
compact: Any = pytest.importorskip("spandrel.architectures.Compact")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def photo(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    """A dark photograph of one face, (160, 176)."""
    path = tmp_path / "dark.png"
    Image.fromarray((astronaut_uint8[10:170, 130:306] * 0.3).astype(np.uint8)).save(path)
    return path


def network_of(scale: int) -> nn.Module:
    """Random, but near the identity: outputs are neither black nor white."""
    torch.manual_seed(scale)
    if scale == 4:
        return compact.Compact(num_feat=8, num_conv=2, upscale=4).eval()
    return esrgan.ESRGAN(num_filters=8, num_blocks=1, scale=2).eval()


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """What went into networks of spandrel, and what came out."""
    from spandrel import ImageModelDescriptor

    pairs: list[tuple[Tensor, Tensor]] = []
    original = ImageModelDescriptor.__call__

    def recorded(self: Any, picture: Tensor) -> Tensor:
        output = original(self, picture)
        pairs.append((picture.clone(), output.clone()))
        return output

    monkeypatch.setattr(ImageModelDescriptor, "__call__", recorded)
    return pairs


@torch.inference_mode()
def assert_same(passed: list[tuple[Tensor, Tensor]], network: nn.Module) -> None:
    """Every output is that of the plain network."""
    assert passed
    for picture, output in passed:
        assert torch.equal(output, network(picture).clamp(0.0, 1.0))


@pytest.mark.parametrize(("scale", "name"), [(2, "ESRGAN"), (4, "RealESRGAN Compact")])
def test_restore_by_them(
    scale: int, name: str, photo: Path, tmp_path: Path, passed: list[tuple[Tensor, Tensor]]
) -> None:
    """Faces and the whole photograph go through the very network, and the result says whose it is."""
    network, weights = network_of(scale), tmp_path / f"x{scale}.pth"
    torch.save({"params": network.state_dict()}, weights)
    both = ("--model", weights, "--background-model", weights)
    target = tmp_path / "out.png"
    result = run("restore", photo, "-o", target, *both, "--scale", scale, "--box", "40,20,80,100")
    assert result.exit_code == 0, result.output
    assert read_picture(target).rgb.shape == (1, 3, 160 * scale, 176 * scale)
    sides = [tuple(picture.shape[-2:]) for picture, _ in passed]
    assert any(height == width for height, width in sides)  # the face
    assert (160, 176) in sides  # the photograph around it
    assert_same(passed, network)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    note = f"x{scale}.pth: {name} x{scale}, sha256 {digest[:12]}, trained elsewhere"
    assert note in " ".join(result.output.split())
    record = lumiface.read_provenance(target)
    assert record is not None
    (origin,) = record["foreign_weights"]
    assert (origin["architecture"], origin["sha256"], origin["scale"]) == (name, digest, scale)
    assert "trained elsewhere" in origin["origin"]


def test_a_chain_names_those_of_its_stages(photo: Path, tmp_path: Path) -> None:
    weights, target = tmp_path / "x2.pth", tmp_path / "out.png"
    torch.save(network_of(2).state_dict(), weights)
    chain = ("--model", f"{weights} + {weights}", "--background-model", "bicubic", "--scale", 4)
    result = run("restore", photo, "-o", target, *chain, "--box", "40,20,80,100")
    assert "x2.pth: ESRGAN x2, sha256" in " ".join(result.output.split())
    record = lumiface.read_provenance(target)
    assert record is not None
    assert record["models"] == ["x2.pth", "x2.pth"]
    assert [origin["architecture"] for origin in record["foreign_weights"]] == ["ESRGAN"]
    assert str(tmp_path) not in json.dumps(record)  # a folder's name may be private


def test_results_of_our_own_networks_name_no_other(photo: Path, tmp_path: Path) -> None:
    assert run("restore", photo, "-o", tmp_path / "out.png", "--scale", 1).exit_code == 0
    record = lumiface.read_provenance(tmp_path / "out.png")
    assert record is not None
    assert "foreign_weights" not in record


def test_evaluate_and_show(
    tmp_path: Path, astronaut_uint8: np.ndarray, passed: list[tuple[Tensor, Tensor]]
) -> None:
    network, weights = network_of(4), tmp_path / "x4.pth"
    torch.save(network.state_dict(), weights)
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in range(2):
        crop = astronaut_uint8[20 + 4 * number :, 140:][:128, :128]
        Image.fromarray(crop).resize((64, 64)).save(faces / f"{number}.png")
    out, pictures = tmp_path / "scores.json", tmp_path / "pictures"
    command = ("evaluate", weights, "--data", faces, "--hr-size", 64, "--json", out, "--pictures", pictures)
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert str(weights) in [row["method"] for row in json.loads(out.read_text())["rows"]]
    assert_same(passed, network)
    scored = [quantize(output) for _, output in passed[-2:]]  # before them, one to warm up
    (folder,) = (path for path in pictures.iterdir() if path.is_dir() and path.name.endswith("x4.pth"))
    for number, output in enumerate(scored):
        assert torch.equal(read_picture(folder / f"{number}.png").rgb, output)
    shown = yaml.safe_load(run("models", "show", weights).output)
    assert (shown["architecture"], shown["scale"], shown["task"]) == ("RealESRGAN Compact", 4, "joint")
    assert shown["parameters"] == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("setting", [("--fidelity", "0.5"), ("--refine", "3")])
def test_settings_of_our_own_restorers_are_refused(
    setting: tuple[str, str], photo: Path, tmp_path: Path
) -> None:
    """They would be recorded in the result, and have done nothing."""
    weights = tmp_path / "x1.pth"
    torch.save(esrgan.ESRGAN(num_filters=8, num_blocks=1, scale=1).state_dict(), weights)
    result = run("restore", photo, "--model", weights, *setting)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"{setting[0]}: {weights} has no such setting" in line


def test_mistakes_are_one_line(photo: Path, tmp_path: Path) -> None:
    weights = tmp_path / "x.pth"
    for content, says in ((b"nothing", "cannot be read"), (photo.read_bytes(), "cannot be read")):
        weights.write_bytes(content)
        result = run("restore", photo, "--model", weights)
        (line,) = result.stderr.splitlines()
        assert result.exit_code == 2
        assert "x.pth" in line
        assert says in line
    (line,) = run("restore", photo, "--model", photo).stderr.splitlines()
    assert "dark.png: damaged or not a safetensors file" in line
    torch.save(network_of(2).state_dict(), weights)
    (line,) = run("export", weights, "-o", tmp_path / "x.onnx").stderr.splitlines()
    assert "cannot be exported: its weights are of another project" in line
    (line,) = run("models", "publish", weights, "mine").stderr.splitlines()
    assert "not written by lumiface" in line


def test_the_server_does_not_start_with_weights_of_no_use(tmp_path: Path) -> None:
    weights = tmp_path / "x.pth"
    weights.write_bytes(b"nothing")
    result = run("web", "--background-model", weights, "--port", 0)
    assert result.exit_code != 0
    (line,) = result.stderr.splitlines()
    assert "x.pth cannot be read" in line


def test_a_video_says_whose_they_are(photo: Path, tmp_path: Path) -> None:
    av: Any = pytest.importorskip("av")
    weights, video = tmp_path / "x2.pth", tmp_path / "dark.mp4"
    torch.save(network_of(2).state_dict(), weights)
    with av.open(str(video), "w") as container:
        stream = container.add_stream("h264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 176, 160, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.asarray(Image.open(photo)), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode()])
    result = run("video", video, "-o", tmp_path / "out.mp4", "--model", weights, "--scale", 2)
    assert result.exit_code == 0, result.output
    assert "x2.pth: ESRGAN x2, sha256" in result.stderr
