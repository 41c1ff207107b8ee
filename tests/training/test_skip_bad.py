"""Training folders with bad pictures: refused with all of them named, or left out; runs stay as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from lumiface.cli import app


@pytest.fixture
def mixed(paired_faces: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in paired_faces.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "cut.png").write_bytes((paired_faces / "0.png").read_bytes()[:700])
    (folder / "text.png").write_text("not a picture")
    return folder


def train(data: Path, run: Path, *options: str) -> tuple[int, str]:
    config = run.parent / "quick.yaml"
    config.write_text(f"base: tiny\nbatch: 2\nvalidate_every: 2\nwarmup: 1\nvalidate_on: '{data}'\n")
    words = ["train", config, "--data-root", data, "--out", run, "--accelerator", "cpu", "--max-steps", "2"]
    done = CliRunner().invoke(app, [*map(str, words), *options])
    return done.exit_code, done.output


def test_bad_pictures_are_named_together_and_no_run_is_begun(mixed: Path, tmp_path: Path) -> None:
    code, output = train(mixed, tmp_path / "run")
    assert code == 1
    assert all(name in output for name in ("2 of 10 pictures", "cut.png", "text.png", "--skip-bad"))
    assert not (tmp_path / "run").exists()


def test_skip_bad_trains_as_on_the_good_ones(mixed: Path, paired_faces: Path, tmp_path: Path) -> None:
    code, output = train(mixed, tmp_path / "one", "--skip-bad")
    assert code == 0, output
    assert output.count("2 of 10 pictures cannot be used and are left out") == 2  # to train, to validate
    assert train(paired_faces, tmp_path / "other")[0] == 0
    one, other = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "other"))
    assert all(one[key].equal(other[key]) for key in other)


def test_a_fresh_run_that_cannot_begin_leaves_the_old_one_in_place(mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.safetensors").write_bytes(b"precious")
    code, _ = train(mixed, tmp_path / "run", "--fresh")
    assert code == 1
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == b"precious"
    assert not (tmp_path / "run.1").exists()
