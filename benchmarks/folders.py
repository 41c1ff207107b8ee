"""How fast a folder is restored: by one process, by two, and by two workers of a cluster on this machine.

    python benchmarks/folders.py jobs --data-root DATA --json benchmarks/results/speed.json
    python benchmarks/folders.py cluster --data-root DATA --json benchmarks/results/speed.json

Whole runs of `lumiface restore` on the 38 photographs of real-degraded, start included, in turn, medians of
the rounds. cluster: the same files are compared byte by byte with those of one process, and in one more run a
worker is killed in the middle.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from sections import REAL, current_provenance, run_section

from lumiface.core.files import write_bytes
from lumiface.data.sources import open_source

ROUNDS = 3


def jobs(args: argparse.Namespace) -> dict[str, Any]:
    """Files per second at one and two jobs; one job uses all cores as threads, two half of them each."""
    with tempfile.TemporaryDirectory() as folder:
        files = _photographs(args, Path(folder) / "in")
        ways = {"1": ["--jobs", "1"], "2": ["--jobs", "2"]}
        seconds = _rounds(Path(folder), ways)
    rate = {way: files / median(times) for way, times in seconds.items()}
    found = {"files": files, "files_per_s": rate, "ratio": rate["2"] / rate["1"], "seconds": seconds}
    print(json.dumps(found, indent=1))
    return found | {"origin": current_provenance()}


def cluster(args: argparse.Namespace) -> dict[str, Any]:
    """Files per second beside one process, equal bytes, and what a killed worker costs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = _photographs(args, place / "in")
        ways = {"1 process": ["--jobs", "1"], "2 workers": ["--cluster", "local", "--jobs", "2"]}
        seconds = _rounds(place, ways)
        one, two = (_contents(place / way.replace(" ", "-")) for way in ways)
        killed = _run_and_kill(place)
        after = _contents(place / "killed")
    rate = {way: files / median(times) for way, times in seconds.items()}
    found = {
        "files": files,
        "files_per_s": rate,
        "ratio": rate["2 workers"] / rate["1 process"],
        "seconds": seconds,
        "same_bytes": one == two,
        "killed_worker": {
            "killed": killed,
            "lost": len(one.keys() - after.keys()),
            "same_bytes": after == one,
        },
    }
    print(json.dumps(found, indent=1))
    return found | {"origin": current_provenance()}


def _photographs(args: argparse.Namespace, folder: Path) -> int:
    """Write the photographs of the set, or the first of them, into a folder."""
    names = 0
    for name, data in open_source(Path(args.data_root) / f"{REAL}.tar").items():
        if Path(name).name.startswith("photo_") and names < (args.limit or 1000):
            write_bytes(folder / Path(name).name, data)
            names += 1
    return names


def _rounds(folder: Path, ways: dict[str, list[str]]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        for way, options in ways.items():
            start = time.perf_counter()
            subprocess.run(_command(folder, way.replace(" ", "-"), options), check=True, capture_output=True)
            seconds[way].append(time.perf_counter() - start)
        print(f"round {number + 1} of {ROUNDS}", flush=True)
    return seconds


def _command(folder: Path, out: str, options: list[str]) -> list[str]:
    words = ["restore", str(folder / "in"), "-o", str(folder / out), "--overwrite", "--device", "cpu"]
    return [sys.executable, "-m", "lumiface", *words, *options]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _run_and_kill(folder: Path) -> int:
    """Restore on the cluster, and kill one of its workers when a quarter is done; the workers killed."""
    run = subprocess.Popen(_command(folder, "killed", ["--cluster", "local", "--jobs", "2"]))
    out, wanted, killed = folder / "killed", len(list((folder / "in").iterdir())) // 4, 0
    while run.poll() is None:
        if not killed and out.is_dir() and len(list(out.iterdir())) >= wanted:
            found = subprocess.run(
                ["pgrep", "-f", "ray::_Worker"], capture_output=True, text=True, check=False
            )
            for pid in found.stdout.split()[:1]:
                os.kill(int(pid), signal.SIGKILL)
                killed += 1
        time.sleep(0.05)
    return killed


if __name__ == "__main__":
    run_section(__doc__, {"jobs": jobs, "cluster": cluster}, {"jobs": [], "cluster": []})
