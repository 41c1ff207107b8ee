"""The queue: one task at a time, a limit of those that wait, and an end in which nothing is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from lumiface.web.errors import Refusal
from lumiface.web.work.process import Worker
from lumiface.web.work.tasks import Answer, Ended, Faulty, Refused, Stage, Task

log = logging.getLogger("lumiface.web")

State = Literal["waiting", "running", "done", "failed", "cancelled"]

STOPPING = "the server is being stopped; try again later"


class Work:
    """A task on its way.

    Attributes:
        state: of the task.
        stage, faces: what is being done, and to how many faces.
        answer: once it is done.
        refusal: once it has failed.
    """

    def __init__(self, task: Task, request_id: str) -> None:
        self.task, self.request_id = task, request_id
        self.state: State = "waiting"
        self.stage: Stage | None = None
        self.faces = 0
        self.answer: Answer | None = None
        self.refusal: Refusal | None = None
        self.began = 0.0
        self.killed = False
        self.finished = asyncio.Event()

    @property
    def error(self) -> str:
        """Why it failed, in one line; empty if it did not."""
        return "" if self.refusal is None else self.refusal.detail

    def end(self, state: State, answer: Answer | None = None, refusal: Refusal | None = None) -> None:
        """Set what became of it."""
        self.state, self.answer, self.refusal = state, answer, refusal
        self.finished.set()


class WorkQueue:
    """Tasks in the order in which they came.

    Args:
        worker: does them, one at a time.
        limit: of tasks that wait.
        max_seconds: of one task; then its process is ended.
        observe: takes the kind and the seconds of each finished task.
    """

    def __init__(
        self,
        worker: Worker,
        limit: int,
        max_seconds: float,
        observe: Callable[[str, float], None] = lambda _kind, _seconds: None,
    ) -> None:
        self.worker, self.limit, self.max_seconds, self.observe = worker, limit, max_seconds, observe
        self.waiting: deque[Work] = deque()
        self.current: Work | None = None
        self.stopping = False
        self.restarts = 0
        self._seconds = 3.0  # of a task, the mean of the last ones
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "lumiface-web")
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process and the work on the queue."""
        self._thread.submit(self.worker.start)
        self._loop = asyncio.create_task(self._run())

    def submit(self, tasks: Sequence[Task], request_id: str) -> list[Work]:
        """Take tasks: all of them, or none.

        Raises:
            Refusal: there is no room, or the server is being stopped.
        """
        self.check(len(tasks))
        works = [Work(task, request_id) for task in tasks]
        self.waiting.extend(works)
        self._wake.set()
        return works

    def check(self, count: int = 1) -> None:
        """Refuse what has no room.

        Raises:
            Refusal: as `submit`.
        """
        if self.stopping:
            raise Refusal(503, "stopping", STOPPING, 30)
        if count > self.limit:
            raise Refusal(413, "too_many", f"at most {self.limit} photographs in one request; send fewer")
        waiting = len(self.waiting)
        if waiting + count > self.limit:
            raise Refusal(
                429, "busy", f"{waiting} photographs are waiting already; try again later", self.wait
            )

    @property
    def wait(self) -> float:
        """Seconds until a task that comes now is begun, about."""
        return min(120.0, self._seconds * (len(self.waiting) + (self.current is not None)))

    def position(self, work: Work) -> int:
        """How many tasks are before this one; 0 for the one in work."""
        if work is self.current or work not in self.waiting:
            return 0
        return self.waiting.index(work) + (self.current is not None)

    def cancel(self, work: Work) -> None:
        """Take a task back; if it is in work, its process is ended."""
        if work in self.waiting:
            self.waiting.remove(work)
            work.end("cancelled")
        elif work is self.current and work.state == "running":
            work.killed = True
            self.worker.kill()

    async def drain(self) -> None:
        """Take no more, and return when all that was taken is finished."""
        self.stopping = True
        while self.waiting or self.current is not None:
            await asyncio.sleep(0.05)

    def abandon(self) -> None:
        """Take no more, refuse what waits, and end what is in work."""
        self.stopping = True
        for work in list(self.waiting):
            work.end("failed", refusal=Refusal(503, "stopping", STOPPING, 30))
        self.waiting.clear()
        self.worker.kill()

    async def close(self) -> None:
        """End the process; what still waits is refused."""
        self.abandon()
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        self._thread.shutdown(wait=True)
        self.worker.close()

    async def _run(self) -> None:
        while True:
            while not self.waiting:
                self._wake.clear()
                await self._wake.wait()
            work = self.waiting.popleft()
            self.current = work
            try:
                await self._do(work)
            finally:
                self.current = None
                if not work.finished.is_set():
                    work.end("failed", refusal=Refusal(503, "stopping", STOPPING, 30))

    async def _do(self, work: Work) -> None:
        loop = asyncio.get_running_loop()

        def announce(stage: Stage, faces: int) -> None:
            work.stage, work.faces = stage, faces

        work.state, work.began = "running", time.monotonic()
        answer = loop.run_in_executor(self._thread, self.worker.run, work.task, announce)
        done, _ = await asyncio.wait({answer}, timeout=self.max_seconds)
        if not done:
            self.worker.kill()
        ended = False
        try:
            work.end("done", await answer)
        except Refused as error:
            work.end("failed", refusal=Refusal(422, "bad_picture", str(error)))
        except Ended:
            ended = True
            self._end_killed(work, expired=not done)
        except Faulty as error:
            log.error("%s a bug in lumiface:\n%s", work.request_id, error)
            line = "an unexpected error: a bug in lumiface; the server's log has it"
            work.end("failed", refusal=Refusal(500, "fault", line))
        seconds = time.monotonic() - work.began
        if work.answer is not None:
            self._seconds += 0.3 * (seconds - self._seconds)
        self.observe(work.task.kind, seconds)
        if (ended or work.killed or not done) and not self.stopping:  # killed as it answered: dead as well
            self.restarts += 1
            await loop.run_in_executor(self._thread, self._restart)

    def _restart(self) -> None:
        self.worker.close()
        self.worker.start()

    def _end_killed(self, work: Work, *, expired: bool) -> None:
        if work.killed:
            work.end("cancelled")
        elif self.stopping:
            work.end("failed", refusal=Refusal(503, "stopping", STOPPING, 30))
        elif expired:
            most = f"{self.max_seconds:g} seconds"
            line = f"the work took more than {most} and was ended; use a smaller photograph"
            work.end("failed", refusal=Refusal(503, "too_long", line))
        else:
            line = "the process that restores ended, most likely for want of memory; use a smaller scale"
            work.end("failed", refusal=Refusal(503, "ended", line))
