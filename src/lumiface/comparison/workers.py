"""The runs of a table, a few at a time in processes of their own; what is finished is never trained again."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from lumiface.comparison.plan import FINISHED, is_finished
from lumiface.core.errors import LumifaceError
from lumiface.core.files import write_bytes
from lumiface.data.training.face_set import FaceSet, load_faces
from lumiface.training.config import TrainConfig
from lumiface.training.launch import start_fabric
from lumiface.training.task import Limits
from lumiface.training.tasks.paired import train


@dataclass(frozen=True, slots=True)
class Workers:
    """Where a table is made.

    Attributes:
        data_root: what `{data}` stands for.
        device: "cpu", "cuda", ...
        jobs: processes that work at once; one on a GPU.
        threads: CPU threads of each.
        max_minutes: no run goes on after this time; what was begun is kept.
    """

    data_root: str
    device: str = "cpu"
    jobs: int = 1
    threads: int = 1
    max_minutes: float | None = None


def train_missing(
    runs: Mapping[Path, TrainConfig], machine: Workers, tell: Callable[[str], None]
) -> list[str]:
    """Finish every run that is not; each stopped one goes on where it was.

    Returns:
        One line for each run that failed or ran out of time.
    """
    missing = {folder: run for folder, run in runs.items() if not is_finished(folder)}
    if not missing:
        return []
    tell(f"{len(missing)} runs to make, {len(runs) - len(missing)} are finished")
    deadline = None if machine.max_minutes is None else time.time() + 60.0 * machine.max_minutes
    failures: list[str] = []
    with worker_pool(machine) as pool:
        jobs = {
            pool.submit(_train, run, folder, machine, deadline): folder for folder, run in missing.items()
        }
        for job in as_completed(jobs):
            folder = jobs[job]
            try:
                tell(f"{folder.name}: {job.result()}")
            except LumifaceError as error:
                failures.append(f"{folder.name}: {error}")
                tell(failures[-1])
    unfinished = [folder.name for folder in missing if not is_finished(folder)]
    return failures + [f"{name}: time was up" for name in unfinished if not _named(name, failures)]


def worker_pool(machine: Workers) -> ProcessPoolExecutor:
    """Fresh processes: torch's threads do not survive a fork."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(machine.jobs, context, _start_worker, (machine.threads,))


def _start_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose command was killed must not go on: the next command would write to the same run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train(run: TrainConfig, folder: Path, machine: Workers, deadline: float | None) -> str:
    """One run in a worker: what it says goes into the run's own log, not on everyone's screen."""
    minutes = None if deadline is None else (deadline - time.time()) / 60.0
    if minutes is not None and minutes <= 0:
        return "not begun, time was up"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "said.txt").open("a") as said, contextlib.redirect_stdout(said):
        fabric = start_fabric(accelerator=machine.device, devices="1", precision=run.precision)
        sources = tuple(source.format(data=machine.data_root) for source in run.train)
        faces = _faces(sources, str(fabric.device))
        outcome = train(
            run,
            folder,
            fabric,
            data_root=machine.data_root,
            limits=Limits(max_minutes=minutes),
            faces=faces,
        )
    if outcome.step < run.steps:
        return f"stopped at step {outcome.step} of {run.steps}"
    facts = {"steps": outcome.step, "psnr_y": outcome.best, "run": run.model_dump()}
    write_bytes(folder / FINISHED, (json.dumps(facts, indent=2) + "\n").encode())
    return f"finished, {outcome.best:.2f} dB in validation"


@lru_cache(maxsize=1)
def _faces(sources: tuple[str, ...], device: str) -> FaceSet:
    """Decoded once a process: a table's runs share their data."""
    return load_faces(sources, device)


def _named(name: str, failures: list[str]) -> bool:
    return any(line.startswith(f"{name}:") for line in failures)
