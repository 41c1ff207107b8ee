"""Several processes for a batch: the same files and summary as one, whatever happens to a process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inverter import Inverter, mortal
from lumiface.restoration.batch import run_jobs
from lumiface.restoration.files.jobs import plan_jobs
from lumiface.restoration.sheet import ContactSheet
from lumiface.restoration.workers import LEAST_FILES, MEMORY, Workers, available_cores, choose_count

COUNT = 7
BLACK, WHITE = 3, 5
"""The pictures at which a process is ended, and at which the restorer has a bug."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(COUNT):
        level = {BLACK: 0, WHITE: 255}.get(number, 20 * number + 10)
        Image.fromarray(np.full((9, 12, 3), level, np.uint8)).save(folder / f"{number}.png")
    (folder / "8.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    return folder


def test_two_processes_do_what_one_does(folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    alone = run_jobs(plan_jobs([str(folder)], one), Inverter(), sheet=ContactSheet(tmp_path / "1.png"))
    seen: list[str] = []
    together = run_jobs(
        plan_jobs([str(folder)], two),
        Inverter(),
        sheet=ContactSheet(tmp_path / "2.png"),
        workers=Workers(2, Inverter),
        progress=lambda done, total, path: seen.append(f"{done}/{total} {path.name}"),
    )
    assert [path.name for path in together.restored] == [path.name for path in alone.restored]
    assert together.failed == alone.failed
    assert len(together.failed) == 2
    assert seen == [f"{n}/{COUNT + 1} {name}" for n, name in enumerate([*_names(folder)], start=1)]
    for path in one.iterdir():
        assert (two / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "2.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    assert together.notes == {f"threads {max(1, available_cores() // 2)}": COUNT - 1}
    assert "raise ArithmeticError" in str(together.faults[0])  # the traceback of the other process


@pytest.mark.slow
def test_a_process_that_is_ended_costs_one_picture(folder: Path, tmp_path: Path) -> None:
    jobs = plan_jobs([str(folder)], tmp_path / "out")
    summary = run_jobs(jobs, Inverter(), workers=Workers(2, mortal))
    killed = [line for line in summary.failed if "was ended" in line]
    assert len(killed) == 1
    assert killed[0].startswith(str(folder / f"{BLACK}.png"))
    assert len(summary.restored) == COUNT - 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number}.png" for number in range(COUNT) if number not in (BLACK, WHITE)
    ]


@pytest.mark.slow
def test_results_that_are_there_are_skipped(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        summary = run_jobs(
            plan_jobs([str(folder)], tmp_path / "out"), Inverter(), workers=Workers(2, Inverter)
        )
    assert not summary.restored
    assert set(summary.skipped.values()) == {"already there"}
    assert len(summary.skipped) == COUNT - 1


def test_how_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    module = "lumiface.restoration.workers"
    monkeypatch.setattr(f"{module}.available_cores", lambda: 8)
    monkeypatch.setattr(f"{module}.free_memory", lambda device: 100 * MEMORY)
    assert choose_count(None, 1000, cpu) == 4
    assert choose_count(None, 3 * LEAST_FILES, cpu) == 3
    assert choose_count(None, 1, cpu) == 1
    assert choose_count(None, 1000, torch.device("cuda")) == 1
    assert choose_count(20, 5, cpu) == 5
    assert choose_count(2, 1000, torch.device("cuda")) == 2
    monkeypatch.setattr(f"{module}.free_memory", lambda device: 2.5 * MEMORY)
    assert choose_count(None, 1000, cpu) == 2
    monkeypatch.setattr(f"{module}.free_memory", lambda device: None)
    assert choose_count(None, 1000, cpu) == 4


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
