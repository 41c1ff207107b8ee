"""A batch on a cluster: Ray's actors, each with networks of its own, take the jobs one by one.

Ray restarts an actor that was ended and gives its job to it again. Ray Data is not used: its blocks are
tables that pass through the object store, while pictures go from file to file here, and each has its own
outcome.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from lumiface.core.errors import SettingError
from lumiface.restoration.cluster.buckets import Url, restore_url
from lumiface.restoration.files.jobs import Job
from lumiface.restoration.one_file import FileOptions, Outcome, restore_file
from lumiface.restoration.workers import MEMORY, RestorerFactory

TRIES = 3
"""How often a job is begun whose worker is ended before one gives it up."""

_AHEAD = 16  # jobs per worker that may be finished before an earlier one
_LAST_SECONDS = 60.0  # for the pictures in work when the batch is interrupted


@dataclass(frozen=True, slots=True)
class RayWorkers:
    """Workers of a Ray cluster; used as `Workers` are.

    Attributes:
        address: of the cluster's head ("ray://host:10001", "host:6379"), or "local": on this machine.
        factory: makes the restorer of each worker; it is sent there, so lumiface must be installed there.
        count: of workers; None: as many as have a core and `MEMORY` each, or a GPU each if `gpu`.
        gpu: each worker has a GPU.
    """

    address: str
    factory: RestorerFactory
    count: int | None = None
    gpu: bool = False

    def outcomes(self, todo: Sequence[Job], options: FileOptions) -> Iterator[Outcome]:
        """What became of each job, in their order; a job is lost only if its worker was ended three times.

        When the iterator is closed, jobs that are not begun are dropped, and no result is half written.

        Raises:
            SettingError: Ray is not installed, or there is no cluster at the address.
        """
        ray = _connect(self.address, self.count)
        try:
            yield from self._run(ray, todo, options)
        finally:
            ray.shutdown()

    def _run(self, ray: Any, todo: Sequence[Job], options: FileOptions) -> Iterator[Outcome]:
        actor: Any = ray.remote(
            num_cpus=1, num_gpus=int(self.gpu), max_restarts=-1, max_task_retries=TRIES - 1
        )(_Worker)
        count = min(self.count or len(todo), _room(ray, self.gpu), len(todo))
        idle = deque(actor.remote(self.factory, options) for _ in range(count))
        running, done = dict[Any, tuple[int, Any]](), dict[int, Outcome]()
        begun = given = 0
        try:
            while given < len(todo):
                while idle and begun < min(len(todo), given + _AHEAD * count):
                    worker = idle.popleft()
                    running[worker.restore.remote(todo[begun])] = (begun, worker)
                    begun += 1
                (finished,), _ = ray.wait(list(running), num_returns=1)
                number, worker = running.pop(finished)
                done[number] = _fetched(ray, finished, todo[number])
                idle.append(worker)
                while given in done:
                    yield done.pop(given)
                    given += 1
        finally:
            if running:  # interrupted: what is in work is finished
                ray.wait(list(running), num_returns=len(running), timeout=_LAST_SECONDS)


class _Worker:
    """What runs in each process of the cluster."""

    def __init__(self, factory: RestorerFactory, options: FileOptions) -> None:
        torch.set_num_threads(1)
        self.restorer, self.options = factory(), options

    def restore(self, job: Job) -> Outcome:
        run = restore_url if isinstance(job.source, Url) else restore_file
        return run(job, self.restorer, self.options).for_another_process()


def _connect(address: str, count: int | None) -> Any:
    if find_spec("ray") is None:
        raise SettingError("--cluster needs Ray: pip install 'lumiface[cluster]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    import ray

    here: dict[str, Any] = {}
    if address == "local":
        # Workers on this machine import what this process can, installed or not.
        known = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        here = {"include_dashboard": False, "num_cpus": count, "runtime_env": {"env_vars": known}}
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, **here)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SettingError(f"--cluster {address}: no Ray cluster answers there ({reason[:120]})") from error
    return ray


def _room(ray: Any, gpu: bool) -> int:
    """How many workers the cluster has room for."""
    found: dict[str, float] = ray.cluster_resources()
    if gpu:
        return max(1, int(found.get("GPU", 0.0)))
    return max(1, int(min(found.get("CPU", 1.0), found.get("memory", MEMORY) // MEMORY)))


def _fetched(ray: Any, reference: Any, job: Job) -> Outcome:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = f"its worker was ended {TRIES} times, most likely for want of memory; use a smaller --scale"
        if isinstance(error, ray.exceptions.RayTaskError):
            reason = " ".join(str(error.cause or error).split())
        elif "creation task" in str(error):
            cause = str(error).strip().splitlines()[-1]
            reason = f"its worker cannot begin ({cause}); is lumiface installed there?"
        return Outcome(job.source, failed=[f"{job.source}: {reason}"])
