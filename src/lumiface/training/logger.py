"""The log of a run: progress bar, log.jsonl, TensorBoard, validation images, provenance of weights."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from lumiface import __version__
from lumiface.core.device import machine_name
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, write_picture
from lumiface.training.config import RunConfig
from lumiface.training.gradients import INERT

LOG_EVERY = 50


class RunLogger:
    """The log of one run. With `enabled` false (all processes but the first) it writes nothing."""

    def __init__(self, folder: Path, config: RunConfig, *, enabled: bool) -> None:
        self.folder, self.config, self.enabled = folder, config, enabled
        self.console = Console(quiet=not enabled)
        self.terms: dict[str, Tensor] = {}
        self.images, self.steps, self.clock = 0, 0, time.monotonic()
        self.seconds_at_peak = 0.0  # of one step
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
        self.bar = self.progress.add_task(
            config.name, total=None if config.minutes else config.steps, facts=""
        )

    def log(self, line: str) -> None:
        """Print one line."""
        self.console.print(line, highlight=False)

    def start(self, step: int) -> None:
        """Open the log at `step`; lines of later steps, which a killed run will repeat, are removed."""
        if not self.enabled:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "log.jsonl"
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
        lines = [line for line in lines if json.loads(line)["step"] <= step]
        self.file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.writer = SummaryWriter(self.folder / "tensorboard", purge_step=step + 1)
        self.progress.start()
        self.progress.update(self.bar, completed=step)
        self.clock = time.monotonic()

    def log_flops(self, flops: float, images: int, peak: float) -> None:
        """FLOPs and images of a process's step, and FLOPs per second that its device reaches."""
        self.seconds_at_peak = flops / peak
        each = flops / images / 1e9
        self.log(f"{each:.3g} GFLOPs per image; matrix products run at {peak / 1e12:.3g} TFLOPs/s")
        self.clock = time.monotonic()

    def log_step(self, step: int, terms: dict[str, Tensor], lr: float, images: int) -> None:
        """After each step; sums stay on the device until the next line of the log is due."""
        for name, value in terms.items():
            before = self.terms.get(name)
            self.terms[name] = value.detach() if before is None else before + value.detach()
        self.images += images
        self.steps += 1
        if step % LOG_EVERY or not self.enabled:
            return
        now = time.monotonic()
        rate = self.images / (now - self.clock)
        losses = {name: float(value) / self.steps for name, value in self.terms.items()}
        total = sum(losses.values())
        share = self.steps / (now - self.clock) * self.seconds_at_peak
        speed = {"images_per_s": round(rate, 2), "share_of_peak": round(share, 4)}
        self._write({"step": step, "loss": total, **losses, "lr": lr, **speed})
        self.progress.update(self.bar, completed=step, facts=f"loss {total:.4f}  {rate:.1f} images/s")
        self.terms, self.images, self.steps, self.clock = {}, 0, 0, now

    def log_gradient_shares(self, step: int, shares: dict[str, float]) -> None:
        """Each term's gradient over the largest, and a line on terms that do nothing."""
        if not self.enabled or not shares:
            return
        self._write({"step": step, **{f"gradient_{name}": share for name, share in shares.items()}})
        inert = [f"{name} ({share:.1e})" for name, share in shares.items() if share < INERT]
        if inert:
            self.log(f"step {step}: inert beside the largest gradient: {', '.join(inert)}")

    def log_validation(self, step: int, name: str, score: float, images: Tensor) -> None:
        """A validation score, and its images (3·n, 3, H, W) as validation.png: inputs, outputs, targets."""
        self._write({"step": step, name: score})
        self.log(f"step {step}: validation {name} {score:.3f}")
        sheet = picture_grid(images, columns=len(images) // 3)
        write_picture(Picture(sheet), self.folder / "validation.png")
        self.clock = time.monotonic()

    def provenance(self, step: int, minutes: float, num_samples: int) -> dict[str, Any]:
        """Where the weights come from, for their metadata and their model card."""
        return {
            "run": self.config.model_dump(),
            "step": step,
            "minutes": round(minutes, 1),
            "faces": num_samples,
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine_name("cuda" if torch.cuda.is_available() else "cpu"),
            "versions": {"lumiface": __version__, "torch": torch.__version__},
        }

    def close(self) -> None:
        self.progress.stop()
        if self.writer is not None:
            self.writer.close()

    def _write(self, facts: dict[str, Any]) -> None:
        with self.file.open("a", encoding="utf-8") as log:
            log.write(json.dumps(facts) + "\n")
        if self.writer is not None:
            for name, value in facts.items():
                if name != "step":
                    self.writer.add_scalar(name, value, facts["step"])
