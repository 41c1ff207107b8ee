"""Cost and scores of all networks that relight and enlarge, on all sets.

    python benchmarks/zoo.py after --data-root DATA --json benchmarks/results/zoo.json

before: the previous weights. after: the shipped weights, faces of 32 to 128 px. large: faces of 64 to 256 px.
camera: likewise, with simulated camera degradation. tones: by group of people. Each section of the JSON file
has its own commit, machine and settings; the other sections are not changed. `benchmarks/zoo_pages.py` writes
its tables into the pages.

Scores per picture are cached in `runs/zoo`, by set and by the hash of the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sections import current_provenance, report_progress, run_section, training_budget

from lumiface.core.files import write_bytes
from lumiface.data.sources import open_source
from lumiface.degradations.camera_pipeline import CAMERA, CameraConfig
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.cost import measure_cost
from lumiface.evaluation.studies.joint import measure_joint
from lumiface.registry import find_weights, load_model, read_metadata

SETS = ("faces256-test", "faces256-hq", "faces256-london", "wild128-test")
LARGE_SETS = SETS[:3]
TONES = "tones128"
GAMMAS = (1, 2, 3, 4, 5)
SCALE = 4
MODELS = [
    "lfsrnet-base", "lfsrnet-lite", "lfsrnet-paper", "lumiface-x4", "lumiface-x4-real", "srcnn",
]  # fmt: skip
CACHE = Path("runs/zoo")


def at_128(args: argparse.Namespace) -> dict[str, Any]:
    """All sets, from faces of 32 px."""
    return measure_sets(args, SETS, 128)


def at_256(args: argparse.Namespace) -> dict[str, Any]:
    """The sets that are large enough, from faces of 64 px."""
    return measure_sets(args, LARGE_SETS, 256)


def at_256_camera(args: argparse.Namespace) -> dict[str, Any]:
    """The same sets with simulated camera degradation: the default ranges of `camera_pipeline`."""
    return measure_sets(args, LARGE_SETS, 256, CAMERA)


def measure_sets(
    args: argparse.Namespace, sets: Sequence[str], hr_size: int, camera: CameraConfig | None = None
) -> dict[str, Any]:
    """A row per model and set, with PSNR by darkness where the benchmark darkened."""
    costs = {model: measure_cost(load_model(model), hr_size // SCALE).as_dict() for model in args.models}
    rows: list[dict[str, Any]] = []
    for name in sets:
        scores, gammas = measure_cached(args, name, hr_size, camera)
        first = next(iter(scores.values()))
        for model, found in scores.items():
            values = found.as_dict(None if found is first else first)
            row = {"model": model, "set": name, **costs[model], **values}
            rows.append(row if camera else row | {"psnr_y_by_gamma": mean_by_gamma(found, gammas)})
            print(json.dumps(rows[-1], indent=1))
    degradation = f"camera {camera.model_dump_json()}" if camera else "LLF"
    protocol = f"{degradation}, {hr_size} px, x{SCALE}, seed 0; cost of one face of {hr_size // SCALE} px"
    return section(args, protocol, rows)


def section(args: argparse.Namespace, protocol: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A section of the file: protocol, provenance, models and rows."""
    return {
        "protocol": protocol,
        "origin": current_provenance(),
        "models": describe_models(args.models),
        "rows": rows,
    }


def describe_models(models: Sequence[str]) -> dict[str, Any]:
    """Of each model: the hash of its weights, its budget and the configuration of its run."""
    metadata = {model: read_metadata(model) for model in models}
    return {
        model: {
            "sha256": sha256(model),
            "budget": training_budget(found),
            "settings": found["provenance"]["run"],
            "curve": found["provenance"].get("curve", []),
        }
        for model, found in metadata.items()
    }


def measure_cached(
    args: argparse.Namespace, name: str, hr_size: int, camera: CameraConfig | None = None
) -> tuple[dict[str, ScoreAccumulator], list[float]]:
    """The scores of the models on one set, from the cache where they are there; and γ of each picture."""
    source = open_source(Path(args.data_root) / f"{name}.tar")
    source = source.first(args.limit or len(source))
    suffix = f"-camera-{_digest(camera.model_dump_json().encode())[:8]}" if camera else ""
    key = f"{name}-{hr_size}-{len(source)}{suffix}"
    files = {model: CACHE / f"{key}-{sha256(model)[:12]}.json" for model in args.models}
    missing: dict[str, Any] = {
        model: load_model(model) for model, file in files.items() if not file.is_file()
    }
    if missing:
        print(f"{name}: {', '.join(missing)}", flush=True)
        scores, gammas = measure_joint(missing, source, report_progress, hr_size, camera)
        for model, found in scores.items():
            entry = {"model": model, "gammas": gammas, "scores": found.scores}
            write_bytes(files[model], json.dumps(entry).encode())
    cached = {model: json.loads(file.read_bytes()) for model, file in files.items()}
    accumulators = {model: ScoreAccumulator(entry["scores"]) for model, entry in cached.items()}
    return accumulators, next(iter(cached.values()))["gammas"]


def sha256(model: str) -> str:
    """SHA-256 of the file of a model's weights."""
    return _digest(find_weights(model).read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def mean_by_gamma(scores: ScoreAccumulator, gammas: list[float]) -> dict[str, float]:
    """Mean PSNR-Y by ranges of the darkening's γ."""
    values, gamma = scores.values("psnr_y"), np.array(gammas)
    ranges = {f"{low}-{low + 1}": (gamma >= low) & (gamma < low + 1) for low in GAMMAS[:-1]}
    return {name: float(values[mask].mean()) for name, mask in ranges.items() if mask.any()}


def tones(args: argparse.Namespace) -> dict[str, Any]:
    """Scores by group of people, with the mean luma error of their faces."""
    source = open_source(Path(args.data_root) / f"{TONES}.tar")
    names = [Path(name).stem.rsplit("_", 1)[0] for name in source.names]
    scores, _ = measure_cached(args, TONES, 128)
    rows: list[dict[str, Any]] = []
    for model, found in scores.items():
        groups = names[: len(found.values("psnr_y"))]
        for group in dict.fromkeys(groups):
            members = np.array([name == group for name in groups])
            part = ScoreAccumulator({key: found.values(key)[members].tolist() for key in found.scores})
            values = {key: value for key, value in part.as_dict().items() if not key.endswith("_images")}
            row = {"model": model, "group": group, "images": int(members.sum()), **values}
            rows.append(row)
            print(json.dumps(row, indent=1))
    return section(args, f"{TONES}: LLF, 128 px, x4, seed 0", rows)


if __name__ == "__main__":
    sections = {
        "before": at_128,
        "after": at_128,
        "large": at_256,
        "camera": at_256_camera,
        "tones": tones,
    }
    run_section(__doc__, sections, dict.fromkeys(sections, MODELS))
