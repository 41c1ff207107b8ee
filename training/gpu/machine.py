"""The GPU machine: its work folder, its clock, and the processes of its runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from safetensors import safe_open

from lumiface.core.parallel import cpu_cores


@dataclass(slots=True)
class Journal:
    """Every decision taken, with the second at which it was; printed and kept in a file."""

    path: Path
    started: float
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        stamped = f"[{time.time() - self.started:6.1f} s] {line}"
        self.lines.append(stamped)
        print(stamped, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(stamped + "\n")


@dataclass(slots=True)
class Job:
    """A process of a run; its output is appended to the run's `output.txt`."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @classmethod
    def start(cls, stage: str, name: str, folder: Path, arguments: Sequence[str]) -> Job:
        """Start `gpu.worker` in a process group of its own, so that its helpers end with it."""
        folder.mkdir(parents=True, exist_ok=True)
        output = (folder / "output.txt").open("ab")
        command = [sys.executable, "-m", "gpu.worker", stage, name, *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        return cls(name, folder, process, output)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether the run waits for its turn."""
        return (self.folder / "ready").is_file()

    def send(self, orders: dict[str, Any]) -> None:
        """Give the run the length of its turn; a process that has ended is found out by `running`."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(orders).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            pass

    def kill(self) -> None:
        """End the process and its helpers at once."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.output.close()


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; empty if it is absent or half written."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def minutes_trained(folder: Path) -> float:
    """Minutes of a run until its last state; 0 without a state."""
    if not (path := folder / "state.safetensors").is_file():
        return 0.0
    with safe_open(path, framework="pt") as file:
        return float(json.loads((file.metadata() or {})["state"])["facts"]["minutes"])


def log_lines(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a last line that is half written is left out."""
    lines: list[dict[str, Any]] = []
    path = folder / "log.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def versions() -> dict[str, str]:
    """Python, torch, CUDA and the device."""
    import platform

    import torch

    on_gpu = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda) if on_gpu else "none",
        "device": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "cores": str(cpu_cores()),
    }
