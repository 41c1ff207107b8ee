"""What speed-ups gained, beside the state before them and in the same run, section by section.

    python benchmarks/speed.py detection --data-root DATA --json benchmarks/results/speed.json

detection: finding faces, CPU-seconds per megapixel and faces found, by either detector. The state before is
checked out from the history of this repository, so it needs a clone with that history.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sections import current_provenance, run_section

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "594deba"
"""The last commit before faces were found faster."""

ROUNDS = 3
"""Of both detectors; the state before takes ten times as long and has one."""
SAME = 0.4
"""Intersection over union from which two boxes are the same face."""


def detection(args: argparse.Namespace) -> dict[str, Any]:
    """A row per way: MTCNN before, and the two detectors. Cost: median of the rounds. Recall on the
    photographs: of the faces that were found before, how many still are."""
    with earlier_sources(BEFORE) as before:
        ways = {
            "mtcnn, before": ("mtcnn", before),
            "mtcnn": ("mtcnn", ROOT / "src"),
            "yunet": ("yunet", ROOT / "src"),
        }
        rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for number in range(ROUNDS):
            for way, (detector, sources) in ways.items():
                if number and sources == before:
                    continue
                rounds[way].append(_measured("photographs", detector, sources, args.data_root))
                print(way, f"{rounds[way][-1]['seconds']:.1f} CPU-s", flush=True)
        rows = [
            _row(way, rounds, *(_measured(what, *ways[way], args.data_root) for what in ("dark", "faceless")))
            for way in ways
        ]
    for row in rows:
        print(json.dumps(row))
    return {
        "set": "real-degraded, photo_*; faces256-test darkened by 0.7 (0.95 I)^g at 128 pixels, "
        "g = 1 to 5; pictures without people of scikit-image",
        "before": BEFORE,
        "origin": current_provenance(),
        "rows": rows,
    }


def _row(
    way: str, rounds: dict[str, list[dict[str, Any]]], dark: dict[str, Any], faceless: dict[str, Any]
) -> dict[str, Any]:
    first = next(iter(rounds.values()))
    cost, before = (statistics.median(found["seconds"] for found in those) for those in (rounds[way], first))
    faces, reference = rounds[way][0]["faces"], first[0]["faces"]
    again = sum(
        any(_overlap(face, other) >= SAME for other in faces[name])
        for name, found in reference.items()
        for face in found
    )
    return {
        "way": way,
        "cpu_s": round(cost, 2),
        "cpu_s_all": [round(found["seconds"], 2) for found in rounds[way]],
        "cpu_s_per_mp": round(cost / rounds[way][0]["megapixels"], 3),
        "times_faster": round(before / cost, 2),
        "photographs": len(faces),
        "faces": sum(map(len, faces.values())),
        "faces_before": sum(map(len, reference.values())),
        "found_again": again,
        **dark,
        **faceless,
    }


def _overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (one, other)]
    return shared / (sum(areas) - shared)


def _measured(what: str, detector: str, sources: Path, data_root: str) -> dict[str, Any]:
    """What `detection.py` prints, in a process of its own that uses the code in `sources`."""
    command = [sys.executable, str(ROOT / "benchmarks" / "detection.py"), what, detector, data_root]
    environment = os.environ | {"PYTHONPATH": str(sources), "OMP_NUM_THREADS": "1"}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output)


@contextmanager
def earlier_sources(commit: str) -> Iterator[Path]:
    """The sources of an earlier commit, in a worktree that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
        try:
            yield tree / "src"
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


SECTIONS = {"detection": detection}
MODELS: dict[str, list[str]] = {"detection": []}


if __name__ == "__main__":
    run_section(__doc__, SECTIONS, MODELS)
