from __future__ import annotations

import ast
import re
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


def test_the_wheel_holds_the_whole_source_tree(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    wanted = {
        file.relative_to(PACKAGE.parent).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {"lumiface/py.typed", "lumiface/__init__.py"} <= wanted
    assert wanted <= held, f"left out: {sorted(wanted - held)}"
    configs = sorted((ROOT / "configs").rglob("*.yaml"))
    runs = [config.stem for config in configs if "compare" not in config.parts]
    assert len(set(runs)) == len(runs)  # they are named without their folder
    for config in configs:
        assert f"lumiface/configs/{config.relative_to(ROOT / 'configs').as_posix()}" in held


def test_every_weight_has_its_card() -> None:
    weights = (PACKAGE / "weights").rglob("*.safetensors")
    assert [file.name for file in weights if not file.with_suffix(".md").is_file()] == []


def test_every_method_has_its_page() -> None:
    methods = [folder for folder in (PACKAGE / "methods").iterdir() if (folder / "model.py").is_file()]
    assert methods
    assert [folder.name for folder in methods if not (folder / "PAPER.md").is_file()] == []


ROOMS = [
    *("blocks", "cli", "comparison", "core", "data", "degradations", "evaluation", "faces", "figures"),
    *("geometry", "imaging", "losses", "methods", "metrics", "registry", "restoration", "runtimes"),
    *("training", "video", "web"),
]


def test_the_package_is_made_of_rooms() -> None:
    """The top level holds folders; each says what belongs in it; none is too full to be read at a glance."""
    entries = [entry for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]
    folders = sorted(entry.name for entry in entries if entry.is_dir())
    assert folders == sorted([*ROOMS, "weights"])
    loose = {entry.name for entry in entries if entry.is_file()}
    assert loose == {"__init__.py", "__main__.py", "py.typed"}
    for room in ROOMS:
        tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{room} does not say what belongs in it"
    for root in (PACKAGE, ROOT / "tests"):
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            files = [entry for entry in folder.iterdir() if entry.is_file() and entry.suffix != ".pyc"]
            assert len(files) <= 20 or folder.name == "weights", f"{folder} holds {len(files)} files"


def test_tests_mirror_the_rooms() -> None:
    tested = {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir()}
    assert tested - {"__pycache__"} <= {*ROOMS, "repo", "benchmarks"}
    assert {file.name for file in (ROOT / "tests").glob("*.py")} == {
        "clips.py",
        "conftest.py",
        "example_report.py",
        "example_runs.py",
        "helpers.py",
        "inverter.py",
        "web_server.py",
    }


def test_the_words_are_the_fields() -> None:
    """These words stood for a discriminator, a model and a task; they shall not return."""
    private = r"\b(critics?|pupils?|lessons?)\b"
    for folder in ("src", "configs", "benchmarks", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".json", ".html", ".js", ".css"):
                found = re.findall(private, path.read_text(encoding="utf-8"), flags=re.IGNORECASE)
                assert not found, f"{path}: {found}"


def test_the_metadata_of_the_wheel(wheel: zipfile.ZipFile) -> None:
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
    seconds, extras, training = run(sys.executable, "-c", code).splitlines()
    assert float(seconds) < 2
    assert extras == "[]"
    assert training == "[]"


def test_imports_follow_the_contracts() -> None:
    output = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert "0 broken" in output
