"""The process that restores, seen from the server: started, asked, ended."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from lumiface.web.work.handle import Setup, serve
from lumiface.web.work.tasks import Announce, Answer, Ended, Faulty, Refused, Task


class Worker(Protocol):
    """What the queue needs of the process."""

    def start(self) -> None: ...
    def run(self, task: Task, announce: Announce) -> Answer: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class WorkerProcess:
    """One process with the networks; ended and started again where its work must stop at once.

    A crash in a decoder, or the kernel ending it for want of memory, does not end the server.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def start(self) -> None:
        """Start the process, which needs some seconds to load; returns at once."""
        context = multiprocessing.get_context("spawn")  # a fork has neither the threads nor the GPU
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._setup), daemon=True, name="lumiface-web")
        process.start()
        theirs.close()
        self._process, self._connection = process, ours

    def run(self, task: Task, announce: Announce) -> Answer:
        """Do one task; blocks.

        Raises:
            Refused: the photograph or an option cannot be used.
            Faulty: there is a bug.
            Ended: the process was ended, by `kill` or by the system.
        """
        if self._process is None or not self._process.is_alive():
            self.start()
        connection = self._connection
        assert connection is not None
        try:
            connection.send(task)
            while True:
                message: tuple[Any, ...] = connection.recv()
                match message:
                    case ("stage", stage, faces):
                        announce(stage, faces)
                    case ("done", answer):
                        return answer
                    case ("refused", line):
                        raise Refused(line)
                    case ("fault", text):
                        raise Faulty(text)
                    case _:  # ready
                        continue
        except (EOFError, OSError) as error:
            raise Ended from error

    def kill(self) -> None:
        """End the process at once; `run`, in its thread, raises `Ended`."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process, and wait for it."""
        if self._process is not None:
            self._process.kill()
            self._process.join(5.0)
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None
