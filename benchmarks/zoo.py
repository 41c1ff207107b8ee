"""The networks that light and enlarge, all of them on all sets: what they cost, and what they reach.

    python benchmarks/zoo.py after --data-root DATA --json benchmarks/results/zoo.json

before: those that shipped before their training was taken up again. after: those that ship. large: at 256
px, from faces of 64. tones: by groups of people. Each section of the JSON file holds its own commit, machine
and settings; the others stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sections import budget_of, measured_here, run_section, told

from lumiface.data.sources import open_source
from lumiface.engine.column import Column
from lumiface.engine.cost import measure_cost
from lumiface.engine.measure_joint import measure_joint
from lumiface.registry import load_model, read_facts
from lumiface.reports.compare.intervals import mean_interval

SETS = ("faces256-test", "faces256-hq", "faces256-london", "wild128-test")
LARGE_SETS = SETS[:3]
TONES = "tones128"
GAMMAS = (1, 2, 3, 4, 5)
SCALE = 4
MODELS = ["lfsrnet-base", "lfsrnet-lite", "srcnn"]


def at_128(given: argparse.Namespace) -> dict[str, Any]:
    """All sets, from faces of 32 px."""
    return measured(given, SETS, 128)


def at_256(given: argparse.Namespace) -> dict[str, Any]:
    """The sets that are large enough, from faces of 64 px."""
    return measured(given, LARGE_SETS, 256)


def measured(given: argparse.Namespace, sets: Sequence[str], hr_size: int) -> dict[str, Any]:
    """A row a model and set; PSNR by darkness, too."""
    networks: dict[str, Any] = {model: load_model(model) for model in given.models}
    costs = {name: measure_cost(network, hr_size // SCALE).as_dict() for name, network in networks.items()}
    rows: list[dict[str, Any]] = []
    for name in sets:
        source = open_source(Path(given.data_root) / f"{name}.tar")
        columns, gammas = measure_joint(networks, source.first(given.limit or len(source)), told, hr_size)
        first = next(iter(columns.values()))
        for model, column in columns.items():
            facts = read_facts(model)
            scores = column.as_dict(None if column is first else first)
            row = {
                "model": model,
                "set": name,
                **costs[model],
                **scores,
                "psnr_y_by_gamma": by_gamma(column, gammas),
            }
            rows.append(row | {"budget": budget_of(facts), "run": facts["provenance"]["run"]["name"]})
            print(json.dumps(rows[-1], indent=1))
    return {
        "protocol": f"LLF, {hr_size} px, x{SCALE}, seed 0; cost of one face of {hr_size // SCALE} px",
        "origin": measured_here(),
        "rows": rows,
    }


def by_gamma(column: Column, gammas: list[float]) -> dict[str, float]:
    """Mean PSNR-Y of pictures darkened alike."""
    scores, dark = np.array(column.scores["psnr_y"]), np.array(gammas)
    parts = {f"{low}-{low + 1}": (dark >= low) & (dark < low + 1) for low in GAMMAS[:-1]}
    return {name: float(scores[which].mean()) for name, which in parts.items() if which.any()}


def tones(given: argparse.Namespace) -> dict[str, Any]:
    """Scores by groups of people, and how much lighter than in truth their faces come out."""
    networks: dict[str, Any] = {model: load_model(model) for model in given.models}
    whole = open_source(Path(given.data_root) / f"{TONES}.tar")
    names = [Path(name).stem.rsplit("_", 1)[0] for name in whole.names]
    columns, _ = measure_joint(networks, whole.first(given.limit or len(whole)), told)
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
    return {"protocol": f"{TONES}: LLF, 128 px, x4, seed 0", "origin": measured_here(), "rows": rows}


if __name__ == "__main__":
    sections = {"before": at_128, "after": at_128, "large": at_256, "tones": tones}
    run_section(__doc__, sections, dict.fromkeys(sections, MODELS))
