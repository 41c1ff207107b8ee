"""`lumiface models publish`: where it writes, what it keeps, and what it says of a run without validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from lumiface.cli import app
from lumiface.registry import WorkingSizes, build, load_model, read_metadata
from lumiface.training.checkpoint import save_weights

GENERATOR = {"resolution": 16, "latent": 16, "mapping": 1, "channel_base": 256, "max_channels": 8}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def refusal(result: Result, code: int) -> str:
    """The one line on stderr of a command that ended with `code`."""
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("lumiface: ")
    return line


def save(path: Path, name: str, config: dict[str, Any] | None = None) -> Path:
    """A checkpoint of an untrained network, as a run writes it."""
    torch.manual_seed(0)
    network: Any = build(name, config)
    save_weights(
        path,
        network.state_dict(),
        method=name,
        config=network.config,
        provenance={"step": 4},
        score={"name": "psnr_y", "value": 12.5},
        trained_on="camera",
        sizes=WorkingSizes(16, 24, 36),
    )
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the installed package's folder, into which no test may write."""
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path / package)
    return tmp_path / "lumiface"


@pytest.fixture
def best(tmp_path: Path) -> Path:
    return save(tmp_path / "run" / "best.safetensors", "srcnn-3-1-5")


def test_models_are_published_in_the_working_folder(best: Path, folder: Path, package: Path) -> None:
    result = run("models", "publish", best, "small-1")
    assert result.exit_code == 0, result.output
    target = folder / "models" / "small-1.safetensors"
    assert [file for file in folder.rglob("*") if file.is_file()] == [target]
    assert not package.exists()
    assert str(Path("models") / "small-1.safetensors") in result.output
    assert f"write {Path('models') / 'small-1.md'}, with a line `Licence: ...`" in result.output
    assert read_metadata(target) == read_metadata(best)
    assert read_metadata(target)["sizes"] == {"smallest": 16, "largest": 24, "trusted": 36}
    assert target.stat().st_size < 0.7 * best.stat().st_size
    low = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(load_model(target)(low), load_model(best)(low), atol=1e-3, rtol=0)


def test_models_are_published_where_the_user_wants(best: Path, folder: Path, package: Path) -> None:
    target = folder / "elsewhere" / "deep" / "small-1.safetensors"
    target.parent.mkdir(parents=True)
    target.with_suffix(".md").write_text("Licence: MIT\n")
    result = run("models", "publish", best, "small-1", "--to", target.parent)
    assert result.exit_code == 0, result.output
    assert target.is_file()
    assert "card" not in result.output
    assert not (folder / "models").exists()
    assert not package.exists()


def test_the_package_is_written_to_only_on_request(best: Path, folder: Path, package: Path) -> None:
    result = run("models", "publish", best, "small-1", "--ship")
    assert result.exit_code == 0, result.output
    assert [file for file in package.rglob("*") if file.is_file()] == [
        package / "weights" / "small-1.safetensors"
    ]
    assert not list(folder.iterdir())
    component = save(best.with_name("generator.safetensors"), "stylegan2", GENERATOR)
    result = run("models", "publish", component, "generator-16", "--ship")
    assert result.exit_code == 0, result.output
    assert (package / "weights" / "components" / "generator-16.safetensors").is_file()
    assert not list(folder.iterdir())


def test_a_run_without_validation_is_explained(best: Path, folder: Path) -> None:
    last = best.rename(best.with_name("last.safetensors"))
    line = refusal(run("models", "publish", best, "small-1"), 1)
    assert f"{best} is not written yet" in line
    assert "has not reached its first validation" in line
    assert f"publish {last}" in line
    assert not list(folder.iterdir())
    assert run("models", "publish", last, "small-1").exit_code == 0
    last.unlink()
    line = refusal(run("models", "publish", best, "small-1"), 1)
    assert f"{best}: there is no such file" in line
    assert "first validation" not in line
    assert "there is no such file" in refusal(run("models", "publish", last, "small-1"), 1)


def test_names_that_are_no_file_names_are_refused(best: Path, folder: Path) -> None:
    for name in ("../x", "Large", "a b", "", ".hidden"):
        assert "made of a-z" in refusal(run("models", "publish", best, name), 2)
    assert not list(folder.iterdir())
