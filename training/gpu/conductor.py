"""The whole on the GPU machine, by the clock; everything is decided by rule, nothing waits for a person."""

from __future__ import annotations

import os
import shutil
import threading
import time
import traceback
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from gpu.entries import Plan, PlannedRun, read_plan
from gpu.faces import decode_groups
from gpu.half import extract_component
from gpu.machine import Job, Journal, minutes_trained, read_json
from gpu.report import Results
from gpu.schedule import (
    RESERVE,
    Probe,
    affordable,
    choose_batch,
    next_slot,
    scaled_lr,
    state_interval,
    training_minutes,
    validation_interval,
)
from lumiface.core.errors import SettingError

WATCHDOG = 20.0
"""Seconds before the end at which everything is stopped and what there is is written."""
PROBING = 0.25
"""The largest part of the minutes that smoke tests and measurements may take."""
LEAD = 40.0
"""Seconds before its turn at which a run is started: imports and data are ready when the device is."""
COMPILING = 80.0
"""The same, in addition, for a run that compiles its networks."""
COMPILE_LIMIT = 0.25
"""The largest part of the time left that compiling may take; then the run starts again without. On an H200
three input sizes of `lumiface-x4-real` with its losses took more than 200 s."""
GRACE = 10.0
"""Seconds after its slot at which a run is stopped."""
DRY_FACES = 48


class Conductor:
    """Takes a plan through its stages.

    Args:
        pack, work, out: folders of what came, of this machine, and of what goes back.
        end: time (Unix) at which all is over.
        dry: the same on the CPU with tiny settings.
        names: of the runs to take; none: all of the pack.
        resume: runs of an earlier call on this machine go on; otherwise they start again.
    """

    def __init__(
        self,
        pack: Path,
        work: Path,
        out: Path,
        started: float,
        end: float,
        *,
        dry: bool,
        names: Sequence[str] = (),
        resume: bool = False,
    ) -> None:
        self.pack, self.work, self.out, self.end, self.dry = pack, work, out, end, dry
        self.plan: Plan = read_plan(pack / "plan.json")
        self.chosen = [run for run in self.plan.runs if not names or run.entry.name in names]
        if unknown := set(names) - {run.entry.name for run in self.chosen}:
            raise SettingError(f"{', '.join(sorted(unknown))} is not in {pack}")
        work.mkdir(parents=True, exist_ok=True)
        for run in self.chosen:
            folder = run.folder(work)
            if not resume:
                shutil.rmtree(folder, ignore_errors=True)
            for stale in ("ready", "outcome.json"):
                (folder / stale).unlink(missing_ok=True)
        self.log = Journal(work / "journal.txt", started)
        self.results = Results(self.plan, work, out, self.log)
        self.probes: dict[str, dict[str, Any]] = {}
        self.jobs: list[Job] = []

    @property
    def left(self) -> float:
        """Seconds until the last run must have ended."""
        return self.end - RESERVE - time.time()

    def run(self) -> None:
        """All stages; what there is is written in any case."""
        watchdog = threading.Timer(max(0.0, self.end - WATCHDOG - time.time()), self._expire)
        watchdog.daemon = True
        watchdog.start()
        try:
            self.log(f"{len(self.chosen)} runs, {self.end - time.time():.0f} s; dry: {self.dry}")
            self._extract()
            runs = self._probe()
            self._train(runs)
        except BaseException:
            self.log(traceback.format_exc())
            raise
        finally:
            watchdog.cancel()
            self._stop()
            self.results.write()

    def _extract(self) -> None:
        """Networks that runs load by name and that came inside of others."""
        shipped = Path(str(resources.files("lumiface"))) / "weights" / "components"
        for run in self.chosen:
            outer = self.work / "data" / f"{run.entry.init_from}.safetensors"
            for name, part in run.entry.extract.items():
                if not (target := shipped / f"{name}.safetensors").is_file():
                    extract_component(outer, part, name, target)
                    self.log(f"{name} taken from {outer.name}")

    def _expire(self) -> None:
        """The watchdog's: the main thread may hang anywhere."""
        try:
            self.log("watchdog: time is up")
            self._stop()
            self.results.write()
        finally:
            os._exit(0)

    def _stop(self) -> None:
        for job in self.jobs:
            job.kill()

    def _start(self, stage: str, run: PlannedRun, *arguments: str) -> Job:
        name = run.entry.name
        common = ["--pack", str(self.pack), "--work", str(self.work), *(["--dry"] if self.dry else [])]
        job = Job.start(stage, name, run.folder(self.work), [*common, *arguments])
        self.jobs.append(job)
        return job

    def _probe(self) -> list[PlannedRun]:
        """Smoke tests of all runs at once, while the faces are decoded; measurements one after the other.

        Returns:
            The runs that passed and for which there is time, in the order of the plan.
        """
        seconds = "0.5" if self.dry else "3"
        before = {run.entry.name for run in self.chosen if minutes_trained(run.folder(self.work))}
        jobs = {
            run.entry.name: self._start("probe", run, "--seconds", seconds)
            for run in self.chosen
            if run.entry.name not in before
        }
        limit = DRY_FACES if self.dry else None
        decode_groups(self.pack / "faces", self.plan.groups, self.work / "data", limit, self.log)
        deadline = time.time() + max(30.0, (0.6 if self.dry else PROBING) * self.left)
        while any(job.running for job in jobs.values()) and time.time() < deadline:
            time.sleep(0.1)
        passed: list[PlannedRun] = []
        for run in self.chosen:
            name, found = run.entry.name, read_json(run.folder(self.work) / "probe.json")
            if (job := jobs.get(name)) is not None:
                if job.running:
                    self.log(f"{name}: smoke test took too long")
                job.kill()
            if not found.get("ok"):
                reason = (found.get("error") or "no result").strip().splitlines()[-1]
                self.log(f"{name}: left out, smoke test failed: {reason}; its minutes go to the others")
                continue
            self.probes[name] = found
            passed.append(run)
            score = f"{found['monitor']} {found['score']:.4g}"
            self.log(f"{name}: smoke test passed, {score} at the start; {found['probes']}")
        self.results.probes = self.probes
        least = [60.0 * run.entry.least for run in passed]
        count = len(passed) if self.dry else affordable(self.left, least)
        for run in passed[count:]:
            self.log(f"{run.entry.name}: left out, {self.left:.0f} s are not enough for it too")
        return passed[:count]

    def _train(self, runs: list[PlannedRun]) -> None:
        """The runs one after the other; each is started while the one before it still trains."""
        jobs: dict[str, Job] = {}
        for number, run in enumerate(runs):
            name, rest = run.entry.name, runs[number + 1 :]
            job = self._wait_until_ready(run, jobs.get(name) or self._prestart(run))
            shares = [other.entry.minutes for other in (run, *rest)]
            slot = next_slot(self.left, shares, [60.0 * other.entry.least for other in (run, *rest)])
            found, probe = self.probes[name], self.batch(run)
            minutes = training_minutes(slot, found["validation"])
            orders = {
                "minutes": minutes + minutes_trained(job.folder),
                "validate_every": validation_interval(60 * minutes, probe.steps_per_s, found["validation"]),
                "save_every": state_interval(probe.steps_per_s),
            }
            self.log(f"{name}: {slot:.0f} s of {self.left:.0f} s, {orders}")
            job.send(orders)
            over = time.time() + slot
            while job.running and time.time() < over + GRACE and self.left > -GRACE / 2:
                lead = (0.0 if self.dry else LEAD) + (COMPILING if rest and self.compiles(rest[0]) else 0.0)
                if rest and rest[0].entry.name not in jobs and time.time() > over - lead:
                    jobs[rest[0].entry.name] = self._prestart(rest[0])
                time.sleep(0.05)
            if job.running:
                self.log(f"{name}: stopped, it did not end in time")
            job.kill()
            code = job.process.returncode
            self.log(f"{name}: ended with {code}, {read_json(job.folder / 'outcome.json')}")
            if rest:
                self.results.write()

    def _wait_until_ready(self, run: PlannedRun, job: Job) -> Job:
        """The run's process once it is ready to train; another, uncompiled, if compiling takes too long."""
        limit = time.time() + LEAD + COMPILE_LIMIT * max(0.0, self.left)
        while job.running and not job.ready and self.left > 0:
            if self.compiles(run) and time.time() > limit:
                self.log(f"{run.entry.name}: compiling takes too long; it starts again without")
                job.kill()
                job, limit = self._prestart(run, compiled=False), float("inf")
            time.sleep(0.05)
        return job

    def _prestart(self, run: PlannedRun, *, compiled: bool = True) -> Job:
        probe, entry = self.batch(run), run.entry
        lr = scaled_lr(self.results.lr(run), probe.batch, entry.batches[0])
        self.log(f"{entry.name}: starting with batch {probe.batch}, lr {lr:.3g}")
        options = [] if compiled else ["--eager"]
        return self._start("train", run, "--batch", str(probe.batch), "--lr", repr(lr), *options)

    def batch(self, run: PlannedRun) -> Probe:
        """The measurement of the batch size that was chosen."""
        memory = float("inf")
        if not self.dry:
            import torch

            memory = torch.cuda.mem_get_info()[1] / 2**30
        return choose_batch([Probe(**probe) for probe in self.probes[run.entry.name]["probes"]], memory)

    def compiles(self, run: PlannedRun) -> bool:
        return not self.dry and self.results.config(run).compile != "never"
