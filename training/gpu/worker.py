"""One run in its own process: `probe` (smoke test and measurements), or `train` (waits for its turn)."""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from gpu.entries import PlannedRun, config_of, read_plan
from gpu.faces import INDEX, PreparedContext, PreparedFaces
from gpu.schedule import MEMORY
from gpu.trial import Trial
from lumiface.core.files import write_bytes
from lumiface.data.training.face_set import FaceSet
from lumiface.training.config import RunConfig
from lumiface.training.launch import start_fabric
from lumiface.training.logger import RunLogger
from lumiface.training.loop import training_loop
from lumiface.training.task import Limits, TrainingTask
from lumiface.training.tasks.table import entry_of

SMOKE_BATCH = 8
DRY: dict[str, Any] = {
    "batch": 2, "warmup": 0, "num_fid_samples": 10, "num_fit_samples": 4, "validate_faces": 2, "faces": 4,
}  # fmt: skip
"""Settings of a dry run, for configurations that have them."""


@dataclass(frozen=True)
class Worker:
    """A planned run on this machine.

    Attributes:
        work: folder of the machine: `data`, and a folder for each run below `runs`.
        dry: tiny settings on the CPU.
    """

    run: PlannedRun
    work: Path
    dry: bool

    @property
    def folder(self) -> Path:
        return self.run.folder(self.work)

    @cached_property
    def fabric(self) -> Fabric:
        """The device, in the run's precision.

        Shapes vary, so cuDNN does not search the fastest kernel for each: on an H200 that took 50 s and
        gained 1 to 2 %.
        """
        precision = config_of(self.run, self.folder).precision
        fabric = start_fabric(accelerator="cpu" if self.dry else "cuda", devices="1", precision=precision)
        torch.backends.cudnn.benchmark = False
        return fabric

    @cached_property
    def prepared(self) -> PreparedFaces:
        while not (self.work / "data" / INDEX).is_file():
            time.sleep(0.05)
        return PreparedFaces(self.work / "data")

    @cached_property
    def faces(self) -> FaceSet | None:
        return self.prepared.face_set(self.run.groups, self.fabric.device) if self.run.paired else None

    def config(self, **changes: Any) -> RunConfig:
        """The run's configuration with changes; in a dry run with tiny settings."""
        config = config_of(self.run, self.folder, changes)
        tiny = {key: value for key, value in DRY.items() if self.dry and key in type(config).model_fields}
        return config_of(self.run, self.folder, tiny | changes) if tiny else config

    def context(self, log: Callable[[str], None] = print) -> PreparedContext:
        return PreparedContext(
            fabric=self.fabric,
            data_root=str(self.work / "data"),
            init_from=self.run.entry.init_from,
            log=log,
            preloaded=self.faces,
            prepared=self.prepared,
        )

    def trial(self, config: RunConfig) -> Trial:
        task: TrainingTask = entry_of(config).task(config, self.context())
        return Trial(task, config, self.fabric)

    def probe(self, seconds: float) -> dict[str, Any]:
        """Smoke test, then speed and memory for each batch size, one run at a time.

        Returns:
            ok, error (a traceback), terms (first losses), score and validation (seconds) of the initial
            weights, probes.
        """
        found: dict[str, Any] = {"ok": False, "error": "", "probes": []}
        try:
            trial = self.trial(self.config(batch=2 if self.dry else SMOKE_BATCH, compile="never"))
            for number in range(2):
                _, found["terms"] = trial.step(number, check=True)
            found["score"], found["validation"] = trial.validate()
            found["monitor"] = trial.task.monitor
            del trial
            found["ok"] = True
            for batch in [2] if self.dry else self.run.entry.batches:
                if not self._measure(batch, seconds, found["probes"]):
                    break
        except Exception:
            found["error"] = traceback.format_exc()
            print(found["error"], flush=True)
        found["ok"] = found["ok"] and bool(found["probes"])
        return found

    def _measure(self, batch: int, seconds: float, probes: list[dict[str, Any]]) -> bool:
        """Append a measurement; False if a larger batch need not be tried."""
        on_gpu = self.fabric.device.type == "cuda"
        try:
            trial = self.trial(self.config(batch=batch, compile="never"))
            with (self.work / "probe.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                probe = trial.measure(seconds)
        except torch.OutOfMemoryError:
            print(f"batch {batch} does not fit into memory", flush=True)
            return False
        finally:
            trial = None
            if on_gpu:
                torch.cuda.empty_cache()
        print(probe, flush=True)
        probes.append(asdict(probe))
        total = torch.cuda.mem_get_info()[1] / 2**30 if on_gpu else float("inf")
        return 1.5 * probe.memory_gib < MEMORY * total

    def train(self, batch: int, lr: float, *, eager: bool = False) -> None:
        """Compile, say that all is ready, wait for the length of the run on the standard input, and train."""
        compiled = self._compile(batch, lr, {"compile": "never"} if eager else {})
        config = self.config(batch=batch, lr=lr, **compiled)
        logger = RunLogger(self.folder, config, enabled=True)
        task: TrainingTask = entry_of(config).task(config, self.context(logger.log))
        write_bytes(self.folder / "ready", b"ready")
        orders: dict[str, Any] = json.loads(sys.stdin.readline())
        config = self.config(batch=batch, lr=lr, **compiled, **orders)
        logger = RunLogger(self.folder, config, enabled=True)
        limits = Limits(init_from=self.run.entry.init_from)
        result = training_loop(task, config, self.folder, self.fabric, logger, limits)
        outcome = {"steps": result.step, "best": result.best, "monitor": result.monitor}
        if self.fabric.device.type == "cuda":
            outcome["memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        write_bytes(self.folder / "outcome.json", json.dumps(outcome).encode())

    def _compile(self, batch: int, lr: float, settings: dict[str, str]) -> dict[str, str]:
        """Compile for every input size, and profile.

        Args:
            settings: of the run; with `compile: never` there is only a profile.

        Returns:
            The settings, with `compile: never` if compiling failed: then the run is slower, but not lost.
        """
        if self.fabric.device.type != "cuda":
            return settings
        trial = self.trial(self.config(batch=batch, lr=lr, **settings))
        try:
            trial.warm_up(2 if trial.config.compile == "never" else 8)
        except Exception:
            traceback.print_exc()
            settings = settings | {"compile": "never"}
            trial = self.trial(self.config(batch=batch, lr=lr, **settings))
        try:
            write_bytes(self.folder / "profile.txt", trial.profile().encode())
        except (RuntimeError, AttributeError):
            traceback.print_exc()
        del trial
        torch.cuda.empty_cache()
        return settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("probe", "train"))
    parser.add_argument("name")
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--eager", action="store_true", help="nothing is compiled")
    parser.add_argument("--dry", action="store_true")
    options = parser.parse_args()
    plan = read_plan(options.pack / "plan.json")
    run = next(run for run in plan.runs if run.entry.name == options.name)
    worker = Worker(run, options.work, options.dry)
    torch.set_num_threads(1 if options.dry else 3)
    if options.stage == "probe":
        found = worker.probe(options.seconds)
        write_bytes(worker.folder / "probe.json", json.dumps(found).encode())
        sys.exit(0 if found["ok"] else 1)
    worker.train(options.batch, options.lr, eager=options.eager)


if __name__ == "__main__":
    main()
