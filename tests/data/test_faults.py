"""Folders with bad pictures: all are named before anything is built, or left out and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import InputError
from lumiface.data.faults import Faults
from lumiface.data.sources import open_source
from lumiface.data.training.face_set import load_faces
from lumiface.data.training.face_tensor import load_face_tensor

BAD = ("broken.png", "cut.jpg", "empty.png", "small.png", "text.png")
NOT_SQUARE = "wide.png"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, astronaut_uint8: np.ndarray) -> Path:
    """Four square faces of 64 pixels."""
    folder = tmp_path_factory.mktemp("clean")
    for number in range(4):
        crop = Image.fromarray(astronaut_uint8[20 + 4 * number :, 140 + 6 * number :][:160, :160])
        crop.resize((64, 64)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def mixed(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same four, and a bad file of each kind between them."""
    folder = tmp_path_factory.mktemp("mixed")
    for path in clean.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    face = Image.open(clean / "0.png")
    (folder / "broken.png").write_bytes((clean / "0.png").read_bytes()[:900])
    face.resize((256, 256)).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:2000])
    (folder / "empty.png").touch()
    face.resize((20, 20)).save(folder / "small.png")
    (folder / "text.png").write_text("not a picture")
    face.resize((64, 20)).save(folder / NOT_SQUARE)  # too small for a set of pairs, too
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of faces are cached, in tests not in the cache of the user."""
    monkeypatch.setattr("lumiface.data.training.cache.user_cache_path", lambda name: tmp_path / ".cache")


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(map(str, words)))
    return done.exit_code, done.output


def named(output: str) -> set[str]:
    return {name for name in (*BAD, NOT_SQUARE) if name in output}


Command = Callable[[Path, Path], list[object]]
COMMANDS: dict[str, Command] = {
    "llf": lambda source, out: ["degrade", source, "--hr-size", "64", "-o", out],
    "frr": lambda source, out: ["degrade", source, "--protocol", "frr", "--hr-size", "64", "-o", out],
    "blind": lambda source, out: ["degrade", source, "--protocol", "blind", "--hr-size", "64", "-o", out],
    "pack": lambda source, out: ["pack-faces", source, "--format", "webp", "-o", out],
    "evaluate": lambda source, out: [
        *("evaluate", "--data", source, "--hr-size", "64", "--json", out, "--device", "cpu"),
    ],
}


def content(path: Path) -> dict[str, bytes]:
    """The files of a result; scores without what depends on the run."""
    if path.is_file() and path.read_bytes().startswith(b"{"):
        return {
            "scores": json.dumps([row["psnr_y"] for row in json.loads(path.read_text())["rows"]]).encode()
        }
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_bad_picture_is_named_and_nothing_is_left(name: str, mixed: Path, tmp_path: Path) -> None:
    code, output = run(*COMMANDS[name](mixed, tmp_path / "out.json"))
    expected = set(BAD) - {"small.png"} | {NOT_SQUARE} if name == "pack" else {*BAD, NOT_SQUARE}
    assert code == 1
    assert named(output) == expected
    assert f"{len(expected)} of 10 pictures cannot be used" in output
    assert "--skip-bad" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_skip_bad_gives_what_the_good_ones_alone_give(
    name: str, clean: Path, mixed: Path, tmp_path: Path
) -> None:
    good = tmp_path / "good"
    good.mkdir()
    for path in (*clean.iterdir(), *([mixed / "small.png"] if name == "pack" else [])):
        (good / path.name).write_bytes(path.read_bytes())
    code, output = run(*COMMANDS[name](mixed, tmp_path / "one.json"), "--skip-bad")
    assert code == 0, output
    bad = 5 if name == "pack" else 6
    assert f"{bad} of 10 pictures cannot be used and are left out" in output
    assert len(named(output)) == bad
    assert run(*COMMANDS[name](good, tmp_path / "other.json"))[0] == 0
    assert content(tmp_path / "one.json") == content(tmp_path / "other.json")


def test_a_set_that_was_built_without_the_bad_ones_is_complete(mixed: Path, tmp_path: Path) -> None:
    command = [*COMMANDS["llf"](mixed, tmp_path / "set"), "--skip-bad"]
    assert run(*command)[0] == 0
    before = content(tmp_path / "set")
    assert run(*command)[0] == 0
    assert content(tmp_path / "set") == before


def test_pictures_that_would_share_a_file_are_all_named(clean: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for suffix in (".png", ".bmp"):
            Image.open(clean / "0.png").save(tmp_path / f"{name}{suffix}")
    code, output = run(*COMMANDS["llf"](tmp_path, tmp_path / "out"))
    assert code == 1
    assert all(file in output for file in ("a.png", "b.png"))
    assert not (tmp_path / "out").exists()


def test_training_faces_are_all_checked_before_the_set_is_refused(mixed: Path, clean: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_faces([mixed, clean])
    assert named(str(refused.value)) == set(BAD) - {"small.png"} | {NOT_SQUARE}
    assert "5 of 14 pictures" in str(refused.value)
    assert "--skip-bad" not in str(refused.value)  # which this caller does not have
    lines: list[str] = []
    faces = load_faces([mixed, clean], log=lines.append, skip_bad=True)
    assert len(faces) == 9
    assert "5 of 14 pictures cannot be used and are left out" in lines


def test_faces_of_another_size_than_most_are_the_bad_ones(mixed: Path, clean: Path) -> None:
    """Also if the odd one comes first."""
    with pytest.raises(InputError, match=r"small.png is 20x20; the set needs faces of 64x64") as refused:
        load_face_tensor([mixed / "small.png", clean])
    assert "1 of 5 pictures" in str(refused.value)
    faults = Faults(skip_bad=True, log=lambda line: None)
    assert load_face_tensor([mixed / "small.png", clean], faults=faults).shape == (4, 3, 64, 64)


def test_bad_pictures_beyond_a_limit_are_not_looked_at(mixed: Path, clean: Path) -> None:
    assert len(load_face_tensor([clean, mixed], limit=4)) == 4
    with pytest.raises(InputError, match="1 of 5 pictures"):
        load_face_tensor([clean, mixed / "text.png", mixed], limit=5)


def test_nothing_but_bad_pictures_is_refused_even_when_they_are_skipped(mixed: Path) -> None:
    bad = [mixed / name for name in BAD if name != "small.png"]
    for load in (load_faces, lambda paths, **options: load_face_tensor(paths, faults=Faults(True))):
        with pytest.raises(InputError, match="4 of 4 pictures cannot be used"):
            load(bad, skip_bad=True)


def test_a_set_without_bad_pictures_is_silent(clean: Path) -> None:
    lines: list[str] = []
    faults = Faults(skip_bad=True, log=lines.append)
    source = open_source(clean)
    assert [index for index, _ in faults.usable(source.read, range(len(source)))] == [0, 1, 2, 3]
    faults.settle()
    assert lines == []
