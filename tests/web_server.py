"""A worker that restores nothing, and servers that listen, with it or with the true one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from lumiface.core.errors import InputError
from lumiface.imaging.codec.decode import decode
from lumiface.imaging.codec.formats import WRITABLE
from lumiface.web.app import build_app
from lumiface.web.server import DrainingServer, address_of, bind, make_server
from lumiface.web.settings import WebConfig
from lumiface.web.state import ServerState
from lumiface.web.work.tasks import AFTER, BEFORE, Announce, Answer, Ended, Refused, Task

SOURCE = Path(__file__).parents[1] / "src"


@dataclass
class Stub:
    """Reads each photograph as the true worker does, and gives it back; `seconds` long."""

    seconds: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    starts: int = 0
    killed: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.starts += 1
        self.killed.clear()

    def run(self, task: Task, announce: Announce) -> Answer:
        self.tasks.append(task)
        announce("reading", 0)
        data = task.source.read_bytes()
        try:
            raster = decode(data, task.name, task.max_megapixels)
        except InputError as error:
            raise Refused(str(error)) from error
        announce("restoring", 1)
        if self.killed.wait(self.seconds):
            raise Ended
        height, width = raster.samples.shape[:2]
        size = {"width": width, "height": height, "format": raster.format, "notes": []}
        name = f"result{WRITABLE[raster.format].suffix}"
        for file in (name, BEFORE, AFTER):
            shutil.copy(task.source, task.folder / file)
        face = {"box": [1.0, 2.0, 11.0, 14.0], "score": 0.99, "rotated": False}
        if task.kind == "find":
            return {**size, "faces": [face, {**face, "box": [21.0, 2.0, 31.0, 14.0]}]}
        report = {**face, "treatment": "restored", "why": "dark", "trust": None}
        more = {"scale": 1, "task": "joint", "file": name, "prior": False, "seconds": 0.1}
        return {**size, **more, "faces": [report]}

    def kill(self) -> None:
        self.killed.set()

    def close(self) -> None:
        self.killed.set()


def picture_bytes(side: int = 48, format_: str = "PNG") -> bytes:
    """A small picture of noise."""
    pixels = np.random.default_rng(0).integers(0, 80, (side, side, 3), np.uint8)
    out = BytesIO()
    Image.fromarray(pixels).save(out, format_)
    return out.getvalue()


@contextmanager
def client_of(worker: Stub, **options: Any) -> Iterator[TestClient]:
    app = build_app(WebConfig(**options), worker=worker)
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield found


def state_of_client(client: TestClient) -> ServerState:
    return client.app.state.server  # type: ignore[attr-defined]


@dataclass
class Live:
    """A server that listens on a port of this machine."""

    address: str
    server: DrainingServer
    worker: Stub

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@contextmanager
def listening(worker: Stub, **options: Any) -> Iterator[Live]:
    """A server in a thread."""
    config = WebConfig(port=0, **options)
    app = build_app(config, worker=worker)
    listener = bind(config)
    ready = threading.Event()
    server = make_server(app, config, ready.set)
    server.config.timeout_graceful_shutdown = 5
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield Live(address_of(config, listener), server, worker)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@dataclass
class Command:
    """`lumiface web` as it is typed."""

    process: subprocess.Popen[str]
    address: str


@contextmanager
def command(*words: str, seconds: float = 90) -> Iterator[Command]:
    """`lumiface web`, with the networks."""
    own = {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "LUMIFACE_RUNTIME": "torch"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lumiface", "web", "--port", "0", "--device", "cpu", *words],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + seconds
    address = None
    assert process.stdout is not None
    while address is None and time.monotonic() < end:
        line = process.stdout.readline()
        if not line:
            break
        address = re.search(r"http://\S+", line)
    try:
        assert address is not None, f"no address within {seconds} s"
        yield Command(process, address.group())
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        process.stdout.close()
