"""What a person sees of a run: progress, a log, TensorBoard, pictures, and where the weights come from."""

from __future__ import annotations

import datetime
import json
import platform
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from lumiface import __version__
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, write_picture
from lumiface.training.config import RunConfig

LOG_EVERY = 50


class RunLogger:
    """Reports of one run. With `enabled` false (the other processes of a distributed run) it says nothing."""

    def __init__(self, folder: Path, config: RunConfig, *, enabled: bool) -> None:
        self.folder, self.config, self.enabled = folder, config, enabled
        self.console = Console(quiet=not enabled)
        self.parts: dict[str, Tensor] = {}
        self.images, self.since, self.clock = 0, 0, time.monotonic()
        self.share = 0.0
        self.writer: SummaryWriter | None = None
        self.progress = Progress(
            TextColumn(config.name),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (enabled and self.console.is_terminal),
        )
        self.task = self.progress.add_task(
            config.name, total=None if config.minutes else config.steps, facts=""
        )

    def tell(self, line: str) -> None:
        self.console.print(line, highlight=False)

    def start(self, step: int) -> None:
        """Open the log; lines of steps that will be done again (after a kill) are taken out."""
        if not self.enabled:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log.jsonl"
        kept = self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []
        kept = [line for line in kept if json.loads(line)["step"] <= step]
        self.log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self.writer = SummaryWriter(self.folder / "tensorboard", purge_step=step + 1)
        self.progress.start()
        self.progress.update(self.task, completed=step)
        self.clock = time.monotonic()

    def costs(self, flops: float, peak: float) -> None:
        """What training with one picture costs, and what all devices could do in a second."""
        self.share = flops / peak
        self.tell(
            f"{flops / 1e9:.3g} GFLOPs a picture; matrices are multiplied at {peak / 1e12:.3g} TFLOPs/s"
        )
        self.clock = time.monotonic()

    def step(self, step: int, parts: dict[str, Tensor], lr: float, images: int) -> None:
        """After each step; sums stay on the device until the next line of the log is due."""
        for name, value in parts.items():
            self.parts[name] = self.parts.get(name, torch.zeros_like(value)) + value.detach()
        self.images += images
        self.since += 1
        if step % LOG_EVERY or not self.enabled:
            return
        now = time.monotonic()
        rate = self.images / (now - self.clock)
        losses = {name: float(value) / self.since for name, value in self.parts.items()}
        total = sum(losses.values())
        speed = {"images_per_s": round(rate, 2), "share_of_peak": round(rate * self.share, 4)}
        self._write({"step": step, "loss": total, **losses, "lr": lr, **speed})
        self.progress.update(self.task, completed=step, facts=f"loss {total:.4f}  {rate:.1f} images/s")
        self.parts, self.images, self.since, self.clock = {}, 0, 0, now

    def validated(self, step: int, name: str, score: float, pictures: Tensor) -> None:
        self._write({"step": step, name: score})
        self.tell(f"step {step}: {name} {score:.3f} in validation")
        sheet = picture_grid(pictures, columns=len(pictures) // 3)
        write_picture(Picture(sheet), self.folder / "validation.png")
        self.clock = time.monotonic()

    def provenance(self, step: int, minutes: float, faces: int, score: str, best: float) -> dict[str, Any]:
        """Where the weights come from, for their metadata and their card."""
        return {
            "run": self.config.model_dump(),
            "step": step,
            "minutes": round(minutes, 1),
            "faces": faces,
            f"best_{score}": best,
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads"
            + (f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"),
            "versions": {"lumiface": __version__, "torch": torch.__version__},
        }

    def close(self) -> None:
        self.progress.stop()
        if self.writer is not None:
            self.writer.close()

    def _write(self, facts: dict[str, Any]) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(facts) + "\n")
        if self.writer is not None:
            for name, value in facts.items():
                if name != "step":
                    self.writer.add_scalar(name, value, facts["step"])
