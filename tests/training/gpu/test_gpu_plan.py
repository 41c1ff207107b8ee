"""The queue, the sizes of a pack, and what becomes of a run that fails its smoke test."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from gpu.conductor import Conductor
from gpu.entries import START_MINUTES, Plan, PlannedRun, QueueEntry, choose_entries, enough_time, read_queue
from gpu.sizes import BYTES_PER_SIDE, least_bytes, require_fit, split_room, table
from lumiface.core.assets import ASSETS
from lumiface.core.errors import SettingError
from lumiface.core.settings import find_config, shipped_configs

TRAINING = Path(__file__).resolve().parents[3] / "training"
QUEUE = TRAINING / "gpu" / "queue.yaml"


def entry(name: str, **changes: Any) -> QueueEntry:
    return QueueEntry(**{"name": name, "config": "tiny", "minutes": 10, "gain": "some"} | changes)


def test_the_projects_queue_names_what_exists() -> None:
    queue = read_queue(QUEUE)
    assert [run.name for run in queue][:2] == ["fusion-bfr-128", "lumiface-x4-real"]
    for run in queue:
        assert find_config(run.config) == shipped_configs()[run.config]
        assert set(run.assets) <= set(ASSETS)
        assert run.manual or run.data
    page = (TRAINING / "QUEUE.md").read_text(encoding="utf-8")
    for run in queue:
        assert re.search(rf"\b{re.escape(run.name)}\b", page), f"QUEUE.md does not mention {run.name}"


def test_a_queue_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text("runs:\n  - {name: a, config: tiny, minutes: 1, gain: x, batchs: [2]}\n")
    with pytest.raises(SettingError, match=r"queue.yaml: a: batchs"):
        read_queue(path)


def test_entries_are_chosen_by_name_or_all_that_a_pack_can_hold() -> None:
    queue = [entry("a", least=5), entry("by-hand", manual="why"), entry("b", least=8)]
    assert [run.name for run in choose_entries(queue, [])] == ["a", "b"]
    assert [run.name for run in choose_entries(queue, ["b"])] == ["b"]
    for name, reason in (
        ("by-hand", "started by hand: why"),
        ("z", "not in the queue; planned are a, by-hand"),
    ):
        with pytest.raises(SettingError, match=reason):
            choose_entries(queue, [name])
    assert enough_time(choose_entries(queue, []), START_MINUTES + 13)
    assert not enough_time(choose_entries(queue, []), START_MINUTES + 12.9)


def test_a_run_reads_what_the_pack_holds() -> None:
    own = entry("a", overrides={"lr": 0.1}, discriminator_from="d")
    run = PlannedRun(entry=own, groups=["faces-0", "faces-2"], validate_on="val-64.tar", paired=True)
    assert run.settings() == {
        "base": "tiny",
        "name": "a",
        "lr": 0.1,
        "train": ["{data}/faces-0.pack", "{data}/faces-2.pack"],
        "validate_on": "{data}/val-64.tar",
        "discriminator_from": "{data}/d.safetensors",
    }


def test_room_is_split_by_the_sides_of_the_faces() -> None:
    one, other = {256: 1000}, {128: 1000}
    big, small = split_room(30 * 2**20, [one, other])
    assert big == 20 * 2**20
    assert small == 10 * 2**20
    assert least_bytes({256: 10, 128: 20}) == BYTES_PER_SIDE * (2560 + 2560)


def test_a_pack_that_is_too_large_is_refused_with_its_largest_parts() -> None:
    sizes = {"faces/a.pack": 40 * 2**20, "weights/b": 22 * 2**20, "plan.json": 2000}
    with pytest.raises(SettingError) as refused:
        require_fit(sizes)
    line = str(refused.value)
    assert "\n" not in line
    assert re.search(r"62.0 MiB, more than 60: faces 40.0 MiB: lower .*; weights 22.0 MiB: plan fewer", line)
    require_fit(sizes, 63 * 2**20)
    assert "62.00 MiB  in all" in table(sizes)


class FakeJob:
    """A process that has ended."""

    running, ready = False, True

    def __init__(self, folder: Path) -> None:
        self.folder, self.killed = folder, False

    def kill(self) -> None:
        self.killed = True


class FakeConductor(Conductor):
    """Smoke tests whose results are given."""

    found: dict[str, dict[str, Any]]

    def _start(self, stage: str, run: PlannedRun, *arguments: str) -> Any:
        folder = self.work / "runs" / run.entry.name
        folder.mkdir(parents=True)
        (folder / "probe.json").write_text(json.dumps(self.found[run.entry.name]))
        job = FakeJob(folder)
        self.jobs.append(job)  # pyright: ignore[reportArgumentType]
        return job


def conductor(tmp_path: Path, minutes: float, found: dict[str, dict[str, Any]]) -> FakeConductor:
    runs = [
        PlannedRun(entry=entry(name, least=3), groups=[], validate_on="v.tar", paired=True) for name in found
    ]
    (tmp_path / "plan.json").write_text(
        Plan(commit="abc", minutes=minutes, runs=runs, groups=[]).model_dump_json()
    )
    now = time.time()
    work, out = tmp_path / "work", tmp_path / "out"
    FakeConductor.found = found
    return FakeConductor(tmp_path, work, out, now, now + 60 * minutes, dry=False)


PASSED = {
    "ok": True, "monitor": "psnr_y", "score": 20.0, "validation": 1.0,
    "probes": [{"batch": 8, "images_per_s": 100.0, "steps_per_s": 12.5, "memory_gib": 1.0}],
}  # fmt: skip
FAILED = {"ok": False, "error": "Traceback …\nRuntimeError: no kernel\n"}


def test_a_kind_that_fails_is_left_out_with_its_error(tmp_path: Path) -> None:
    cast = conductor(tmp_path, 12, {"a": PASSED, "b": FAILED, "c": PASSED})
    assert [run.entry.name for run in cast._probe()] == ["a", "c"]
    assert any("b: left out, smoke test failed: RuntimeError: no kernel" in line for line in cast.log.lines)
    cast.results.write()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["runs"]["b"]["error"] == FAILED["error"]
    assert "no kernel" in (tmp_path / "out" / "report.md").read_text()


def test_the_last_runs_are_left_out_where_time_is_short(tmp_path: Path) -> None:
    cast = conductor(tmp_path, 7, {"a": PASSED, "b": PASSED, "c": PASSED})
    assert [run.entry.name for run in cast._probe()] == ["a", "b"]
    assert any("c: left out" in line for line in cast.log.lines)


def test_a_run_whose_compiling_takes_too_long_starts_again_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = conductor(tmp_path, 5, {"a": PASSED})
    run, started = cast.chosen[0], list[bool]()
    stuck, eager = (type("Job", (FakeJob,), {"running": True, "ready": ready}) for ready in (False, True))

    def prestart(run: PlannedRun, *, compiled: bool = True) -> Any:
        started.append(compiled)
        return eager(tmp_path)

    monkeypatch.setattr(cast, "_prestart", prestart)
    monkeypatch.setattr(cast, "compiles", lambda run: True)
    monkeypatch.setattr("gpu.conductor.LEAD", 0.0)
    monkeypatch.setattr("gpu.conductor.COMPILE_LIMIT", 0.0)
    first: Any = stuck(tmp_path)
    job: Any = cast._wait_until_ready(run, first)
    assert first.killed
    assert started == [False]
    assert isinstance(job, eager)
    assert any("compiling takes too long" in line for line in cast.log.lines)


def test_the_watchdog_stops_all_and_writes_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast, codes = conductor(tmp_path, 5, {"a": PASSED}), list[int]()
    cast._probe()
    monkeypatch.setattr("os._exit", codes.append)
    cast._expire()
    assert codes == [0]
    assert all(job.killed for job in cast.jobs)  # pyright: ignore[reportAttributeAccessIssue]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert any("watchdog" in line for line in report["decisions"])
