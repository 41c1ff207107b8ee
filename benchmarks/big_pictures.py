"""What large photographs cost: seconds and memory of whole runs, and that strips do not change the result.

    python benchmarks/big_pictures.py photo_12mp --data-root DATA --json benchmarks/results/speed.json
    python benchmarks/big_pictures.py strips --data-root DATA --json benchmarks/results/speed.json

Dark, noisy photographs with faces, composed by `composed.py`, JPEG of quality 92. photo_12mp: 12 megapixels
with 10 faces, whole runs of `lumiface restore`, start included: medians of the rounds, and the CPU-seconds of
each step within one process. strips: runs at 12 to 100 megapixels, the largest with 50 faces; peak is the
most memory that the process held, resident (`getrusage`). strip_db: the result in tiles against that in one
piece, of each filter at 3 megapixels. Seconds say little where others use the machine, CPU-seconds more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from composed import compose
from sections import current_provenance, run_section
from torch import Tensor

from lumiface.imaging import denoise
from lumiface.imaging.codec.encode import encode
from lumiface.imaging.codec.raster import Raster
from lumiface.imaging.io import read_picture, write_picture
from lumiface.imaging.quantize import from_samples
from lumiface.restoration import face_restorer, restorer
from lumiface.restoration.light import relight as relight_module
from lumiface.restoration.light.relight import relight
from lumiface.restoration.light.tone_curve import ToneCurve

ROUNDS = 5
FACES = {12: 10, 24: 10, 48: 20, 100: 50}
"""Megapixels -> faces."""

WHOLE = 1 << 30
"""Rows and columns of a tile that is the picture."""

RUN = """
import json, resource, sys
from lumiface.cli import app
try:
    app(sys.argv[1:])
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]), file=sys.stderr)
"""


def photo_12mp(args: argparse.Namespace) -> dict[str, Any]:
    """Whole runs, and the steps of one."""
    with tempfile.TemporaryDirectory() as folder:
        path = _photograph(args, Path(folder), 12)
        rounds = [run_restore(path) for _ in range(ROUNDS)]
        steps = _steps(path)
    found = {key: median(one[key] for one in rounds) for key in rounds[0]}
    found |= {"faces": FACES[12], "cpu_s_of_steps": steps, "seconds_all": [one["s"] for one in rounds]}
    print(json.dumps(found, indent=1))
    return found | {"origin": current_provenance()}


def strips(args: argparse.Namespace) -> dict[str, Any]:
    """One run at each size, and the filters in tiles."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for megapixels, faces in FACES.items():
            rows.append(
                {
                    "megapixels": megapixels,
                    "faces": faces,
                    **run_restore(_photograph(args, Path(folder), megapixels)),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    found = {"rows": rows, "peak_mib_100mp": rows[-1]["peak_mib"], "strip_db": _strip_db(args)}
    print(json.dumps(found["strip_db"]))
    return found | {"origin": current_provenance()}


def _photograph(args: argparse.Namespace, folder: Path, megapixels: int) -> Path:
    path = folder / f"{megapixels}.jpg"
    path.write_bytes(encode(Raster(compose(args, megapixels, FACES[megapixels]), "JPEG"), 92))
    return path


def run_restore(path: Path) -> dict[str, Any]:
    """Seconds, CPU-seconds and peak of memory of `lumiface restore` of a file or a folder."""
    out = path.with_name(f"{path.stem}-out") if path.is_dir() else path.with_suffix(".out.jpg")
    command = [sys.executable, "-c", RUN, "restore", str(path), "-o", str(out)]
    begun = perf_counter()
    done = subprocess.run([*command, "--overwrite"], capture_output=True, text=True, check=False)
    seconds = perf_counter() - begun
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu, peak = json.loads(done.stderr.splitlines()[-1])
    return {"s": round(seconds, 2), "cpu_s": round(cpu, 2), "peak_mib": round(peak)}


def _steps(path: Path) -> dict[str, float]:
    """CPU-seconds of the steps of a run in this process; filters within other steps count for themselves."""
    spent: dict[str, float] = defaultdict(float)
    open_steps: list[str] = []

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            begun = process_time()
            open_steps.append(name)
            try:
                return function(*args, **options)
            finally:
                open_steps.pop()
                spent[name] += process_time() - begun
                if open_steps:
                    spent[open_steps[-1]] -= process_time() - begun

        return run

    steps = {
        "find": (restorer, "find_upright"),
        "measure": (restorer, "measure_face"),
        "noise": (restorer, "denoise_shadows"),
        "light": (restorer, "light_surroundings"),
        "paste": (restorer, "paste_face"),
        "face light": (face_restorer, "transfer_light"),
    }
    before = {name: getattr(module, attribute) for name, (module, attribute) in steps.items()}
    for name, (module, attribute) in steps.items():
        setattr(module, attribute, timed(name, before[name]))
    try:
        run = timed("other", restorer.Restorer())
        result = run(timed("read", read_picture)(path))
        timed("write", write_picture)(result.picture, path.with_suffix(".out.jpg"))
    finally:
        for name, (module, attribute) in steps.items():
            setattr(module, attribute, before[name])
    return {name: round(seconds, 2) for name, seconds in spent.items()}


def _strip_db(args: argparse.Namespace) -> dict[str, float]:
    """Peak signal-to-noise ratio of tiles against one piece."""
    dark = from_samples(compose(args, 3, 10))
    curve, quiet = ToneCurve(8.0, 0.45), denoise.denoise_shadows(dark)
    results = {"noise": quiet, "light": relight(dark, curve, quiet)}
    settings = (
        (denoise, "TILE", (WHOLE, WHOLE)),
        (relight_module, "_ROWS", WHOLE),
        (relight_module, "_COLUMNS", WHOLE),
    )
    before = [getattr(module, name) for module, name, _ in settings]
    for module, name, value in settings:
        setattr(module, name, value)
    whole = {"noise": denoise.denoise_shadows(dark), "light": relight(dark, curve, quiet)}
    for (module, name, _), value in zip(settings, before, strict=True):
        setattr(module, name, value)
    return {name: _db(results[name], whole[name]) for name in results}


def _db(one: Tensor, other: Tensor) -> float:
    error = float((one - other).double().square().mean())
    return round(-10.0 * float(np.log10(max(error, 1e-20))), 1)


SECTIONS = {"photo_12mp": photo_12mp, "strips": strips}
MODELS: dict[str, list[str]] = {name: [] for name in SECTIONS}


if __name__ == "__main__":
    run_section(__doc__, SECTIONS, MODELS)
