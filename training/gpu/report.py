"""What goes back: weights in half precision, logs, sheets of faces, and a report of every decision."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors import SafetensorError

from gpu.entries import Plan, PlannedRun, config_of
from gpu.half import to_half
from gpu.machine import Journal, log_lines, read_json, versions
from gpu.parts import fitting, write_parts
from lumiface.core.files import write_bytes
from lumiface.training.config import RunConfig
from lumiface.training.discriminator_weights import DISCRIMINATOR_FILE


class Results:
    """Collects and writes the results; may be called at any time, also while a run trains.

    Attributes:
        probes: what smoke tests and measurements found, by run.
    """

    def __init__(self, plan: Plan, work: Path, out: Path, log: Journal) -> None:
        self.plan, self.work, self.out, self.log = plan, work, out, log
        self.probes: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def config(self, run: PlannedRun) -> RunConfig:
        """The run's configuration as planned, before this machine's decisions."""
        return config_of(run, run.folder(self.work))

    def lr(self, run: PlannedRun) -> float:
        return self.config(run).lr

    def write(self) -> None:
        """Write parts and report; a file that cannot be made is named in the journal and left out."""
        with self.lock:
            staging = self.work / "results"
            shutil.rmtree(staging, ignore_errors=True)
            files = [*self._texts(staging), *self._weights(staging)]  # texts are small
            kept, left = fitting(files)
            left_out = [file.relative_to(staging).as_posix() for file in left]
            digests = write_parts(staging, kept, self.out)
            report = self._report(digests, [file.relative_to(staging).as_posix() for file in kept])
            report["left_out"] = left_out
            write_bytes(self.out / "report.json", json.dumps(report, indent=1).encode())
            write_bytes(self.out / "report.md", _markdown(report).encode())

    def _weights(self, staging: Path) -> list[Path]:
        """The best weights of all runs first, then discriminators, then last weights."""
        ranked: list[tuple[int, Path]] = []
        for run in self.plan.runs:
            name, folder = run.entry.name, run.folder(self.work)
            wanted = [
                ("best.safetensors", f"{name}.safetensors"),
                ("last.safetensors", f"{name}-last.safetensors"),
            ]
            for rank, (source, target) in enumerate(wanted):
                if (folder / source).is_file():
                    ranked.append((2 * rank, staging / name / target))
                    self._try(to_half, folder / source, staging / name / target, _curve(folder))
            if (source := folder / DISCRIMINATOR_FILE).is_file():
                target = staging / name / f"{name}-discriminator.safetensors"
                ranked.append((1, target))
                self._try(to_half, source, target)
        return [path for _, path in sorted(ranked) if path.is_file()]

    def _texts(self, staging: Path) -> list[Path]:
        found: list[Path] = []
        for run in self.plan.runs:
            folder, target = run.folder(self.work), staging / run.entry.name
            target.mkdir(parents=True, exist_ok=True)
            for name in (
                "log.jsonl",
                "config.yaml",
                "probe.json",
                "profile.txt",
                "outcome.json",
                "output.txt",
            ):
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, target / name)
                    found.append(target / name)
            if (sheet := folder / "validation.png").is_file():
                self._try(_sheet, sheet, target / "validation.jpg")
                found.append(target / "validation.jpg")
        shutil.copyfile(self.log.path, staging / "journal.txt")
        return [path for path in [*found, staging / "journal.txt"] if path.is_file()]

    def _try(self, make: Any, *arguments: Any) -> None:
        try:
            make(*arguments)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            self.log(f"{arguments[0]}: {error}")

    def _report(self, digests: dict[str, Any], files: list[str]) -> dict[str, Any]:
        runs = {run.entry.name: self._summary(run) for run in self.plan.runs}
        return {
            "commit": self.plan.commit,
            "versions": versions(),
            "groups": [group.model_dump(mode="json") for group in self.plan.groups],
            "runs": runs,
            "decisions": self.log.lines,
            "contents": files,
            "files": digests,
        }

    def _summary(self, run: PlannedRun) -> dict[str, Any]:
        folder = run.folder(self.work)
        lines, probe = log_lines(folder), self.probes.get(run.entry.name, read_json(folder / "probe.json"))
        speeds = [line for line in lines if "images_per_s" in line]
        middle = speeds[len(speeds) // 2 :] or speeds
        curve = _curve(folder).get("curve", [])
        steps = max((line["step"] for line in lines), default=0)
        outcome = read_json(folder / "outcome.json")
        images = _mean(line["images_per_s"] for line in middle)
        return {
            "state": "trained" if outcome else "cut off" if lines else "not trained",
            "steps": outcome.get("steps", steps),
            "images_per_s": images,
            "share_of_peak": _mean(line["share_of_peak"] for line in middle),
            "monitor": probe.get("monitor"),
            "score_before": probe.get("score"),
            "best": max((score for _, score in curve), default=None),
            "curve": curve,
            "memory_gib": outcome.get("memory_gib"),
            "probes": probe.get("probes", []),
            "error": probe.get("error", ""),
            "gain_expected": run.entry.gain,
        }


def _curve(folder: Path) -> dict[str, Any]:
    """{"curve": [[step, score], …]} of a run's validations, if there were any."""
    curve = [list(line.values()) for line in log_lines(folder) if len(line) == 2]
    return {"curve": curve} if curve else {}


def _sheet(source: Path, target: Path, width: int = 1600) -> None:
    with Image.open(source) as image:
        picture = image.convert("RGB")
    picture.thumbnail((width, width))
    picture.save(target, quality=88)


def _mean(values: Any) -> float:
    numbers = list(values)
    return round(sum(numbers) / len(numbers), 4) if numbers else 0.0


def _markdown(report: dict[str, Any]) -> str:
    rows = [
        "# Report",
        f"Commit {report['commit']}; "
        + ", ".join(f"{key} {value}" for key, value in report["versions"].items()),
        "",
        "| run | state | steps | faces/s | share of peak | score before | best |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, run in report["runs"].items():
        before, best = (
            f"{run[key]:.4g}" if run[key] is not None else "–" for key in ("score_before", "best")
        )
        rows.append(
            f"| {name} | {run['state']} | {run['steps']} | {run['images_per_s']:.0f} "
            f"| {run['share_of_peak']:.1%} | {run['monitor'] or ''} {before} | {best} |"
        )
    errors = [
        f"\n## {name} failed\n```\n{run['error']}```" for name, run in report["runs"].items() if run["error"]
    ]
    if report["left_out"]:
        rows += ["", f"Too large to come back: {', '.join(report['left_out'])}."]
    return "\n".join([*rows, *errors, "", "## Decisions", "```", *report["decisions"], "```", ""])
