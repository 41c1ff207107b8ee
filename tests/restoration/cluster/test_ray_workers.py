"""A batch on a cluster: the same files as in one process, and nothing lost with a worker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from inverter import Inverter, mortal, mortal_once
from lumiface.cli import app
from lumiface.core.errors import SettingError
from lumiface.restoration.batch import run_jobs
from lumiface.restoration.cluster import ray_workers
from lumiface.restoration.cluster.ray_workers import RayWorkers
from lumiface.restoration.files.jobs import plan_jobs

COUNT = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(COUNT):
        level = 0 if number == 3 else 20 * number + 10
        Image.fromarray(np.full((9, 12, 3), level, np.uint8)).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    return tmp_path / "in"


@pytest.mark.slow
def test_two_workers_give_the_files_of_one_process(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    alone = run_jobs(plan_jobs([str(folder)], tmp_path / "one"), Inverter())
    seen: list[str] = []
    together = run_jobs(
        plan_jobs([str(folder)], tmp_path / "two"),
        Inverter(),
        workers=RayWorkers("local", Inverter, 2),
        progress=lambda done, total, path: seen.append(path.name),
    )
    assert together.failed == alone.failed
    assert seen == sorted(path.name for path in folder.iterdir())
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()
    assert [path.name for path in together.restored] == [path.name for path in alone.restored]


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(folder: Path, tmp_path: Path) -> None:
    """Its picture is begun again; each result is there once and whole."""
    pytest.importorskip("ray")
    jobs = plan_jobs([str(folder)], tmp_path / "out")
    factory = partial(mortal_once, str(tmp_path / "killed"))
    summary = run_jobs(jobs, Inverter(), workers=RayWorkers("local", factory, 2))
    assert (tmp_path / "killed").exists()
    assert len(summary.restored) == COUNT
    assert len(summary.failed) == 1  # the file that is no picture
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{n}.png" for n in range(COUNT)]


@pytest.mark.slow
def test_a_picture_that_ends_every_worker_has_failed(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    jobs = plan_jobs([str(folder)], tmp_path / "out")
    summary = run_jobs(jobs, Inverter(), workers=RayWorkers("local", mortal, 2))
    (line,) = [line for line in summary.failed if "was ended 3 times" in line]
    assert line.startswith(str(folder / "3.png"))
    assert len(summary.restored) == COUNT - 1


def test_without_ray_one_line_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "find_spec", lambda name: None)
    jobs = plan_jobs([str(folder)], tmp_path / "out")
    with pytest.raises(SettingError, match=r"--cluster needs Ray: pip install 'lumiface\[cluster\]'"):
        run_jobs(jobs, Inverter(), workers=RayWorkers("local", Inverter, 2))


def test_paths_and_urls_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["restore", str(folder), "-o", "s3://bucket/out"])
    assert result.exit_code == 2
    assert "all URLs, or all paths" in result.stderr
