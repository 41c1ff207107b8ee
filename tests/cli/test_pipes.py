"""`-` as input and output, inputs that do not exist, and Ctrl-C."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.restoration import batch


@pytest.fixture(scope="module")
def small_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 40, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def lumiface(*words: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "lumiface", *map(str, words)]
    return subprocess.run(command, input=data, capture_output=True, check=False)


def test_a_picture_through_both_pipes(small_jpeg: bytes) -> None:
    done = lumiface("restore", "-", "--scale", "2", data=small_jpeg)
    assert done.returncode == 0, done.stderr
    result = Image.open(io.BytesIO(done.stdout))
    assert (result.format, result.size) == ("JPEG", (60, 40))
    assert b"no face found" in done.stderr


def test_a_file_to_standard_output_and_standard_input_to_a_file(
    small_jpeg: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jpg").write_bytes(small_jpeg)
    done = lumiface("restore", tmp_path / "in.jpg", "-o", "-")
    assert Image.open(io.BytesIO(done.stdout)).size == (30, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jpg"]
    result = CliRunner().invoke(app, ["restore", "-", "-o", str(tmp_path / "out.png")], input=small_jpeg)
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "out.png").size == (30, 20)


@pytest.mark.parametrize(
    ("words", "data", "code", "line"),
    [
        (["-"], b"", 1, "standard input is empty; pipe a picture into it"),
        (["-"], b"no picture at all", 1, "standard input"),
        (["-", "other.jpg"], b"x", 2, "- is standard input, one picture; leave the other inputs out"),
        (["a.jpg", "b.jpg", "-o", "-"], b"", 2, "standard output takes one picture; name a folder: -o DIR"),
    ],
)
def test_what_cannot_go_through_a_pipe(
    words: list[str], data: bytes, code: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "other.jpg"):
        Path(name).write_bytes(b"x")
    result = CliRunner().invoke(app, ["restore", *words], input=data)
    assert result.exit_code == code
    assert line in result.stderr
    assert "lumiface-" not in result.stderr  # the temporary folder is nobody's business


def test_missing_inputs_are_named_before_torch_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom lumiface.cli import app\n"
        "try: app(['restore', 'nosuch.jpg', 'no*.png'])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 False\n"
    assert done.stderr.splitlines() == [
        f"lumiface: {name}: there is no such file or folder; check the name"
        for name in ("nosuch.jpg", "no*.png")
    ]


def test_an_interruption_says_what_is_done_and_how_to_go_on(
    small_jpeg: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(small_jpeg)
    restore_one, calls = batch.restore_file, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return restore_one(*arguments)

    monkeypatch.setattr(batch, "restore_file", interrupted)
    result = CliRunner().invoke(app, ["restore", str(tmp_path)])
    assert result.exit_code == 130
    assert "stopped: 2 of 3 pictures done" in result.stderr
    assert "the same command goes on with the rest" in result.stderr
    assert len(list(tmp_path.glob("*_lumiface.jpg"))) == 2
