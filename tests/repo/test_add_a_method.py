"""The worked examples of docs/develop are followed literally, in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


@pytest.fixture
def checkout(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    """What a contributor has: the sources, the tests, and a folder of square faces."""
    for name in ("src", "tests", "configs", "docs", "benchmarks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    for file in (ROOT / "src").rglob("*.safetensors"):
        (tmp_path / file.relative_to(ROOT)).symlink_to(file)
    rgb = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].float()
    (tmp_path / "my-faces").mkdir()
    for index in range(8):
        face = F.interpolate(rgb[..., 10 + index : 202 + index, 130:322], size=(128, 128), mode="area")
        pixels = face[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
        Image.fromarray(pixels).save(tmp_path / "my-faces" / f"{index}.png")
    return tmp_path


def follow(page: str, checkout: Path) -> tuple[list[str], list[str]]:
    """Write the files that a page shows, add the lines that it adds; returns its commands and modules."""
    text = (ROOT / "docs" / "develop" / page).read_text(encoding="utf-8")
    commands: list[str] = []
    written: list[str] = []
    for language, block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        if language == "sh":
            lines = (line.split("  #")[0].strip() for line in block.splitlines())
            commands += [line for line in lines if line.startswith(".venv/bin/")]
            continue
        heading, _, content = block.partition("\n")
        name, _, table = heading.removeprefix("# ").strip().partition(" ")
        path = checkout / name
        written += [name] if path.suffix == ".py" else []
        if not table:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text(
                added(path.read_text(encoding="utf-8"), table.strip("()"), content), encoding="utf-8"
            )
    # Where an added import belongs among the others, the formatter knows.
    subprocess.run(
        [TOOLS / "ruff", "check", "-q", "--select", "I", "--fix", *written], cwd=checkout, check=True
    )
    return commands, written


def added(text: str, table: str, lines: str) -> str:
    """`lines` after the first import of a module, or at the end of one of its tables."""
    if table == "imports":
        first = "from __future__ import annotations\n"
        return text.replace(first, first + lines, 1)
    start = re.search(rf"^{table}\b.*=\s*[({{]$", text, re.MULTILINE)
    assert start is not None, f"no table {table}"
    end = re.compile(r"^[)}]$", re.MULTILINE).search(text, start.end())
    assert end is not None
    return text[: end.start()] + lines + text[end.start() :]


def run(command: str, checkout: Path) -> str:
    words = shlex.split(command.removeprefix(".venv/bin/"))
    words = (
        [sys.executable, "-m", "lumiface", *words[1:]]
        if words[0] == "lumiface"
        else [sys.executable, *words[1:]]
    )
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    done = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_add_a_method(checkout: Path) -> None:
    commands, written = follow("add-a-method.md", checkout)
    outputs = {command: run(command, checkout) for command in commands}
    (tested,) = (output for command, output in outputs.items() if "pytest" in command)
    assert re.search(r"1[0-9] passed", tested)
    assert (checkout / "models" / "fsrcnn.safetensors").is_file()
    check_style(checkout, written)


@pytest.mark.slow
def test_add_a_component(checkout: Path) -> None:
    commands, written = follow("add-a-component.md", checkout)
    for command in commands:
        run(command, checkout)
    check_style(checkout, written)


def check_style(checkout: Path, written: list[str]) -> None:
    """The example is held to the project's own rules."""
    for words in (
        ["ruff", "check", "-q", "src"],
        ["ruff", "format", "-q", "--check", "src"],
        ["lint-imports"],
    ):
        environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
        done = subprocess.run(
            [TOOLS / words[0], *words[1:]],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
