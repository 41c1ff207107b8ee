"""The README's commands, run as they are written, in a folder that holds what they name."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from clips import colours, write_video
from lumiface.imaging.io import Picture, read_picture, write_picture

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(word: str) -> list[str]:
    """Every `.venv/bin/lumiface <word> …` of the README, without its comment."""
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(f".venv/bin/lumiface {word}")]


def run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == ".venv/bin/lumiface"
    done = subprocess.run(
        [sys.executable, "-m", "lumiface", *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """party.jpg, old.jpg, a folder holiday/, scans/*.tif, and my-faces/ with eight square faces."""
    from skimage.data import astronaut

    rgb = torch.from_numpy(astronaut()).permute(2, 0, 1)[None].float() / 255.0
    folder = tmp_path_factory.mktemp("readme")
    small = F.interpolate(rgb[..., :320, 60:380], size=(96, 96), mode="area")
    dark: Tensor = 0.7 * small**3
    for name in ("party.jpg", "old.jpg", "holiday/beach.png", "holiday/night/fire.webp", "scans/one.tif"):
        write_picture(Picture(dark), folder / name)
    for index in range(8):
        face = rgb[..., 10 + index : 202 + index, 130:322]
        write_picture(
            Picture(F.interpolate(face, size=(128, 128), mode="area")), folder / f"my-faces/{index}.png"
        )
    return folder


def test_there_are_commands_to_run() -> None:
    assert len(commands("restore")) >= 4
    assert all(len(commands(word)) == 1 for word in ("train", "evaluate", "degrade", "score"))
    makes = [line.split()[:2] for block in blocks("sh") for line in block.splitlines() if line[:5] == "make "]
    assert makes == [["make", "demo"], ["make", "test"]]


def test_restore_as_written(workplace: Path) -> None:
    for command in commands("restore"):
        run(command, workplace)
    assert read_picture(workplace / "party_lumiface.jpg").rgb.shape[-2:] == (384, 384)
    assert (workplace / "bright/night").is_dir()
    assert {path.name for path in (workplace / "lit").iterdir()} >= {"party.jpg", "party_prior.png"}
    assert (workplace / "sharp/old.jpg").is_file()
    assert len(list((workplace / "scans").iterdir())) == 2


def test_video_as_written(workplace: Path) -> None:
    pytest.importorskip("av")
    write_video(workplace / "dance.mp4", [colours(index) for index in range(3)])
    run(commands("video")[0], workplace)
    assert (workplace / "dance-bright.mp4").is_file()


def test_degrade_and_evaluate_as_written(workplace: Path) -> None:
    run(commands("degrade")[0], workplace)
    assert len((workplace / "my-benchmark/manifest.jsonl").read_text().splitlines()) == 8
    assert "oracle" in run(commands("evaluate")[0], workplace)


def test_sample_as_written(workplace: Path) -> None:
    run(commands("sample")[0], workplace)
    assert read_picture(workplace / "faces.png").rgb.shape[-1] >= 8 * 64


def test_score_as_written(workplace: Path) -> None:
    for folder, quality in (("my-results", 60), ("my-originals", 100)):
        (workplace / folder).mkdir()
        for face in sorted((workplace / "my-faces").glob("*.png"))[:2]:
            Image.open(face).save(workplace / folder / f"{face.stem}.jpg", quality=quality)
    assert "psnr_y" in run(commands("score")[0], workplace)


def test_python_as_written(workplace: Path) -> None:
    [code] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "FaceReport" in done.stdout
    assert (workplace / "party-bright.jpg").is_file()


@pytest.mark.slow
def test_train_as_written(workplace: Path) -> None:
    assert "psnr_y" in run(commands("train")[0], workplace)
    assert (workplace / "runs/tiny/best.safetensors").is_file()
