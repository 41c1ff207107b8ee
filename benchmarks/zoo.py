"""The networks that light and enlarge, all of them on all sets: what they cost, and what they reach.

    python benchmarks/zoo.py after --data-root DATA --json benchmarks/results/zoo.json

before: those that shipped before their training was taken up again. after: those that ship. large: at 256
px, from faces of 64. camera: from faces of 64 that are dark, noisy and compressed as a camera makes them.
tones: by groups of people. Each section of the JSON file holds its own commit, machine
and settings; the others stay as they are. `benchmarks/zoo_pages.py` writes the cards' tables from it.

Scores picture by picture are kept in `runs/zoo`, by set and by the weights' hash: a model that was measured
is not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sections import budget_of, measured_here, run_section, told

from lumiface.core.files import write_bytes
from lumiface.data.sources import open_source
from lumiface.degradations.camera_pipeline import CAMERA, CameraConfig
from lumiface.evaluation.bootstrap import mean_interval
from lumiface.evaluation.column import Column
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
KEPT = Path("runs/zoo")


def at_128(given: argparse.Namespace) -> dict[str, Any]:
    """All sets, from faces of 32 px."""
    return measured(given, SETS, 128)


def at_256(given: argparse.Namespace) -> dict[str, Any]:
    """The sets that are large enough, from faces of 64 px."""
    return measured(given, LARGE_SETS, 256)


def at_256_by_camera(given: argparse.Namespace) -> dict[str, Any]:
    """The same sets as a camera makes them: `degradations.camera`'s own ranges."""
    return measured(given, LARGE_SETS, 256, CAMERA)


def measured(
    given: argparse.Namespace, sets: Sequence[str], hr_size: int, camera: CameraConfig | None = None
) -> dict[str, Any]:
    """A row a model and set; PSNR by darkness, too, where the benchmark's formula darkened."""
    costs = {model: measure_cost(load_model(model), hr_size // SCALE).as_dict() for model in given.models}
    rows: list[dict[str, Any]] = []
    for name in sets:
        columns, gammas = columns_of(given, name, hr_size, camera)
        first = next(iter(columns.values()))
        for model, column in columns.items():
            scores = column.as_dict(None if column is first else first)
            row = {"model": model, "set": name, **costs[model], **scores}
            rows.append(row if camera else row | {"psnr_y_by_gamma": by_gamma(column, gammas)})
            print(json.dumps(rows[-1], indent=1))
    damage = f"camera {camera.model_dump_json()}" if camera else "LLF"
    protocol = f"{damage}, {hr_size} px, x{SCALE}, seed 0; cost of one face of {hr_size // SCALE} px"
    return section_of(given, protocol, rows)


def section_of(given: argparse.Namespace, protocol: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A section of the file: how, where and of what its rows were measured."""
    return {"protocol": protocol, "origin": measured_here(), "models": origins(given.models), "rows": rows}


def origins(models: Sequence[str]) -> dict[str, Any]:
    """Of each model: the hash of its weights, its budget and the settings of its run."""
    facts = {model: read_metadata(model) for model in models}
    return {
        model: {
            "sha256": sha256(model),
            "budget": budget_of(of),
            "settings": of["provenance"]["run"],
            "curve": of["provenance"].get("curve", []),
        }
        for model, of in facts.items()
    }


def columns_of(
    given: argparse.Namespace, name: str, hr_size: int, camera: CameraConfig | None = None
) -> tuple[dict[str, Column], list[float]]:
    """The scores of the models on one set, those that are kept and those that are not; gammas likewise."""
    source = open_source(Path(given.data_root) / f"{name}.tar")
    source = source.first(given.limit or len(source))
    damage = f"-camera-{_digest(camera.model_dump_json().encode())[:8]}" if camera else ""
    what = f"{name}-{hr_size}-{len(source)}{damage}"
    files = {model: KEPT / f"{what}-{sha256(model)[:12]}.json" for model in given.models}
    missing: dict[str, Any] = {
        model: load_model(model) for model, file in files.items() if not file.is_file()
    }
    if missing:
        print(f"{name}: {', '.join(missing)}", flush=True)
        found, gammas = measure_joint(missing, source, told, hr_size, camera)
        for model, column in found.items():
            facts = {"model": model, "gammas": gammas, "scores": column.scores}
            write_bytes(files[model], json.dumps(facts).encode())
    kept = {model: json.loads(file.read_bytes()) for model, file in files.items()}
    columns = {model: Column(facts["scores"]) for model, facts in kept.items()}
    return columns, next(iter(kept.values()))["gammas"]


def sha256(model: str) -> str:
    """Of its file of weights."""
    return _digest(find_weights(model).read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def by_gamma(column: Column, gammas: list[float]) -> dict[str, float]:
    """Mean PSNR-Y of pictures darkened alike."""
    scores, dark = np.array(column.scores["psnr_y"]), np.array(gammas)
    parts = {f"{low}-{low + 1}": (dark >= low) & (dark < low + 1) for low in GAMMAS[:-1]}
    return {name: float(scores[which].mean()) for name, which in parts.items() if which.any()}


def tones(given: argparse.Namespace) -> dict[str, Any]:
    """Scores by groups of people, and how much lighter than in truth their faces come out."""
    whole = open_source(Path(given.data_root) / f"{TONES}.tar")
    names = [Path(name).stem.rsplit("_", 1)[0] for name in whole.names]
    columns, _ = columns_of(given, TONES, 128)
    rows: list[dict[str, Any]] = []
    for model, column in columns.items():
        groups = names[: len(column.scores["psnr_y"])]
        for group in dict.fromkeys(groups):
            here = np.array([name == group for name in groups])
            row: dict[str, Any] = {"model": model, "group": group, "images": int(here.sum())}
            for score, values in column.scores.items():
                found = np.array(values)[here]
                found = found[np.isfinite(found)]
                row |= {score: float(found.mean()), f"{score}_ci": list(mean_interval(found))}
            rows.append(row)
            print(json.dumps(row, indent=1))
    return section_of(given, f"{TONES}: LLF, 128 px, x4, seed 0", rows)


if __name__ == "__main__":
    sections = {
        "before": at_128,
        "after": at_128,
        "large": at_256,
        "camera": at_256_by_camera,
        "tones": tones,
    }
    run_section(__doc__, sections, dict.fromkeys(sections, MODELS))
