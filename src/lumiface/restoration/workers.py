"""Processes that restore the pictures of a batch, each with networks of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import torch

from lumiface.core.memory import free_memory
from lumiface.restoration.files.jobs import Job
from lumiface.restoration.one_file import FileOptions, Outcome, PictureRestorer, restore_file

MEMORY = 2.5e9
"""Bytes that a process should have to itself: its networks, and photographs of some megapixels."""

THREADS = 2
"""Cores that one process keeps busy: 114 photographs took one process 117 s on two cores, and two 119 s."""

LEAST_FILES = 6
"""Files per process below which starting another one, some seconds, gains nothing."""

KILLED = "the process that restored it was ended, most likely for want of memory; use a smaller --scale"


class RestorerFactory(Protocol):
    """Makes the restorer of a process; it is sent there."""

    def __call__(self) -> PictureRestorer: ...


class WorkerPool(Protocol):
    """What a batch needs of its workers."""

    def outcomes(self, todo: Sequence[Job], options: FileOptions) -> Iterator[Outcome]: ...


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes that take the jobs one by one.

    Attributes:
        count: of processes.
        factory: makes the restorer of each.
    """

    count: int
    factory: RestorerFactory

    def outcomes(self, todo: Sequence[Job], options: FileOptions) -> Iterator[Outcome]:
        """What became of each job, in their order.

        If a process is ended from outside, the rest goes on in one process, which may have the memory that
        several had not; the picture with which that ends, too, has failed. When the iterator is closed, the
        pictures in work are finished.
        """
        rest, done, count = deque(todo), dict[Job, Outcome](), self.count
        while rest:
            broken = False
            try:
                for job, outcome in self._one_pool([job for job in rest if job not in done], options, count):
                    done[job] = outcome
                    while rest and rest[0] in done:
                        yield done.pop(rest.popleft())
            except BrokenProcessPool:
                broken = True
            if broken and count == 1:
                source = rest.popleft().source
                yield Outcome(source, failed=[f"{source}: {KILLED}"])
            while rest and rest[0] in done:
                yield done.pop(rest.popleft())
            count = 1

    def _one_pool(
        self, todo: Sequence[Job], options: FileOptions, count: int
    ) -> Iterator[tuple[Job, Outcome]]:
        """As they are finished, except for those behind one that has not been.

        Raises:
            BrokenProcessPool: a process was ended; what others had finished came before.
        """
        threads = max(1, available_cores() // count)
        pool = ProcessPoolExecutor(
            count,
            multiprocessing.get_context("spawn"),  # a fork has neither the threads nor the GPU of its parent
            initializer=_start,
            initargs=(self.factory, options, threads),
        )
        jobs, pending = iter(todo), deque[tuple[Job, Future[Outcome]]]()
        try:
            pending.extend((job, pool.submit(_work, job)) for job in islice(jobs, 2 * count))
            while pending:
                job, future = pending[0]
                try:
                    yield job, future.result()
                    pending.popleft()
                    pending.extend((job, pool.submit(_work, job)) for job in islice(jobs, 1))
                except BrokenProcessPool:
                    yield from ((job, done.result()) for job, done in pending if _succeeded(done))
                    raise
        finally:
            pool.shutdown(cancel_futures=True)


def _succeeded(future: Future[Outcome]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def choose_count(requested: int | None, files: int, device: torch.device) -> int:
    """How many processes restore a batch.

    Args:
        requested: by the user; None: one for every `THREADS` cores, as many as have memory, and as it is
            worth it; on a GPU one.
    """
    if requested is not None:
        return max(1, min(requested, files))
    if device.type != "cpu":
        return 1
    free = free_memory(device)
    room = available_cores() if free is None else int(free // MEMORY)
    return max(1, min(available_cores() // THREADS, room, files // LEAST_FILES))


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_process: tuple[PictureRestorer, FileOptions] | None = None


def _start(factory: RestorerFactory, options: FileOptions, threads: int) -> None:
    import cv2

    global _process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the batch; a picture in work is finished
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    _process = factory(), options


def _work(job: Job) -> Outcome:
    assert _process is not None
    restorer, options = _process
    return restore_file(job, restorer, options).for_another_process()
