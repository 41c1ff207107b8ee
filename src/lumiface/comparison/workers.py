"""The training runs of a table, several at a time in processes; finished runs are never trained again."""

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
from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.launch import start_fabric
from lumiface.training.run import train
from lumiface.training.task import Limits


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that train and measure a table.

    Attributes:
        data_root: folder that `{data}` stands for.
        device: "cpu", "cuda", ...
        jobs: number of parallel processes; one on a GPU.
        threads: CPU threads per process.
        max_minutes: time limit, after which runs stop; they can be resumed.
    """

    data_root: str
    device: str = "cpu"
    jobs: int = 1
    threads: int = 1
    max_minutes: float | None = None


def train_missing(runs: Mapping[Path, RunConfig], workers: Workers, log: Callable[[str], None]) -> list[str]:
    """Train every run that is not finished; stopped runs resume.

    Returns:
        One line for each run that failed or reached the time limit.
    """
    missing = {folder: run for folder, run in runs.items() if not is_finished(folder)}
    if not missing:
        return []
    log(f"{len(missing)} runs to train, {len(runs) - len(missing)} finished")
    deadline = None if workers.max_minutes is None else time.time() + 60.0 * workers.max_minutes
    failures: list[str] = []
    with worker_pool(workers) as pool:
        jobs = {
            pool.submit(_train, run, folder, workers, deadline): folder for folder, run in missing.items()
        }
        for job in as_completed(jobs):
            folder = jobs[job]
            try:
                log(f"{folder.name}: {job.result()}")
            except LumifaceError as error:
                failures.append(f"{folder.name}: {error}")
                log(failures[-1])
    unfinished = [folder.name for folder in missing if not is_finished(folder)]
    stopped = [name for name in unfinished if not any(line.startswith(f"{name}:") for line in failures)]
    return failures + [f"{name}: stopped at the time limit" for name in stopped]


def worker_pool(workers: Workers) -> ProcessPoolExecutor:
    """New processes: torch's threads do not survive a fork."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers.jobs, context, _start_worker, (workers.threads,))


def _start_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exit when the command is killed: the next command would otherwise write to the same run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train(run: RunConfig, folder: Path, workers: Workers, deadline: float | None) -> str:
    """One run in a worker: its output goes to a file of the run, not to the terminal."""
    minutes = None if deadline is None else (deadline - time.time()) / 60.0
    if minutes is not None and minutes <= 0:
        return "not started, time limit reached"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.txt").open("a") as output, contextlib.redirect_stdout(output):
        fabric = start_fabric(accelerator=workers.device, devices="1", precision=run.precision)
        faces = None
        if isinstance(run, TrainConfig):
            sources = tuple(source.format(data=workers.data_root) for source in run.train)
            faces = _faces(sources, str(fabric.device))
        result = train(
            run,
            folder,
            fabric,
            data_root=workers.data_root,
            limits=Limits(max_minutes=minutes),
            faces=faces,
        )
    if result.step < run.steps:
        return f"stopped at step {result.step} of {run.steps}"
    summary = {"steps": result.step, "best": result.best, "run": run.model_dump(mode="json")}
    write_bytes(folder / FINISHED, (json.dumps(summary, indent=2) + "\n").encode())
    return f"finished, {result.best:.4g} in validation"


@lru_cache(maxsize=1)
def _faces(sources: tuple[str, ...], device: str) -> FaceSet:
    """Decoded once per process: a table's runs share their data."""
    return load_faces(sources, device)
