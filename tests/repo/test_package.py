from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lumiface

ROOT = Path(__file__).parents[2]
PACKAGE = Path(lumiface.__file__).parent


def run(*command: str) -> str:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_all_that_the_source_tree_has(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    wanted = {
        file.relative_to(PACKAGE.parent).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {"lumiface/py.typed", "lumiface/__init__.py"} <= wanted
    assert wanted <= held, f"left out: {sorted(wanted - held)}"
    for config in (ROOT / "configs").glob("*.yaml"):
        assert f"lumiface/configs/{config.name}" in held


def test_every_weight_has_its_card() -> None:
    weights = (PACKAGE / "weights").glob("*.safetensors")
    assert [file.name for file in weights if not file.with_suffix(".md").is_file()] == []


def test_every_paper_has_its_page() -> None:
    papers = [folder for folder in (PACKAGE / "papers").iterdir() if (folder / "model.py").is_file()]
    assert papers
    assert [folder.name for folder in papers if not (folder / "PAPER.md").is_file()] == []


def test_the_wheel_says_who_it_is(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read(f"lumiface-{lumiface.__version__}.dist-info/METADATA").decode()
    assert f"Version: {lumiface.__version__}\n" in metadata
    assert "License-Expression: MIT\n" in metadata
    scripts = wheel.read(f"lumiface-{lumiface.__version__}.dist-info/entry_points.txt").decode()
    assert "lumiface = lumiface.cli:app" in scripts


def test_importing_is_quick_and_loads_the_core_alone() -> None:
    code = """
import sys, time
import torch
start = time.perf_counter()
import lumiface
print(time.perf_counter() - start)
extras = {"lightning", "tensorboard", "torchvision", "torchmetrics", "lpips", "gradio", "scipy", "skimage"}
print(sorted(extras & set(sys.modules)))
print([name for name in sys.modules if name.startswith("lumiface.training")])
"""
    seconds, extras, engine = run(sys.executable, "-c", code).splitlines()
    assert float(seconds) < 2
    assert extras == "[]"
    assert engine == "[]"


def test_the_rooms_import_whom_they_may() -> None:
    output = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert "0 broken" in output
