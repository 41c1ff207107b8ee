"""Blind restoration and the generator that leads it, measured, section by section.

    python benchmarks/fusion_bfr.py prior --data-root DATA --json benchmarks/results/fusion_bfr.json

prior: faces drawn from nothing. restorer: the method and the variants of its ablation on one damage. shipped:
what ships, on the same. real: really damaged photographs, before and after. fidelity: the same, along the
setting of that name. Each section of the JSON file holds its own commit, machine and settings; the others
stay as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from sections import budget_of, measured_here, rows_of, run_section, told

from lumiface.data.sources import PictureSource, open_source
from lumiface.data.training.face_tensor import load_face_tensor, resize_faces
from lumiface.evaluation.studies.blind import INPUT, measure_real, measure_restorers
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, write_picture
from lumiface.metrics.frechet import FrechetDistance, frechet_distance
from lumiface.registry import find_weights, load_model, read_metadata
from lumiface.restore.config import RestoreConfig
from lumiface.restore.face_generator import FaceGenerator
from lumiface.restore.restorer import Restorer

TEST = "faces256-test"
REAL = "real-degraded"
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
DRAWN = 1000


def prior(given: argparse.Namespace) -> dict[str, Any]:
    """Fréchet distance of drawn to unseen faces by truncation, and, beside a run's log, in training."""
    rows: list[dict[str, Any]] = []
    distance = FrechetDistance("squeezenet")
    for model in given.models:
        facts = read_metadata(model)
        side = FaceGenerator(model).side
        real = resize_faces(load_face_tensor([Path(given.data_root) / f"{TEST}.tar"], given.limit), side)
        truth = distance.features(real.float() / 255.0)
        found: list[dict[str, float]] = []
        for truncation in (1.0, 0.7, 0.5, 0.3):
            faces = FaceGenerator(model, truncation).faces(given.limit or DRAWN)
            features = torch.cat([distance.features(part) for part in faces.split(50)])
            spread = float(faces.var(dim=0).mean().sqrt())
            found.append(
                {
                    "truncation": truncation,
                    "fd_squeezenet": float(frechet_distance(features, truth)),
                    "spread": spread,
                }
            )
            print(found[-1])
        log = find_weights(model).parent / "log.jsonl"
        course = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
        rows.append(
            {
                "model": facts["provenance"]["run"]["name"],
                "budget": budget_of(facts),
                "side": side,
                "drawn": given.limit or DRAWN,
                "unseen": len(real),
                "rows": found,
                "training": [
                    {"step": entry["step"], "fd_squeezenet": -entry["minus_fd_squeezenet"]}
                    for entry in course
                    if "minus_fd_squeezenet" in entry
                ],
                "run": facts["provenance"]["run"],
            }
        )
    return {"set": TEST, "origin": measured_here(), "models": rows}


def restorer(given: argparse.Namespace) -> dict[str, Any]:
    """The method and its variants on the blind protocol, seed 0, at the network's own size."""
    networks: dict[str, Any] = {model: load_model(model) for model in given.models}
    side = next(iter(networks.values())).config.generator.resolution
    source = open_source(Path(given.data_root) / f"{TEST}.tar")
    columns, distances = measure_restorers(networks, source.first(given.limit or len(source)), side, told)
    rows = rows_of(columns, given.models)
    for row, distance in zip(rows, distances.values(), strict=True):
        row["fd_squeezenet"] = distance
        print(row["model"], distance)
    return {"set": f"{TEST}, blind, seed 0", "side": side, "origin": measured_here(), "rows": rows}


def real(given: argparse.Namespace) -> dict[str, Any]:
    """Really damaged face photographs, before and after."""
    return on_photographs(given, {model: Restorer(model, config(None)) for model in given.models})


def fidelity(given: argparse.Namespace) -> dict[str, Any]:
    """The same along the share of the input, of one model."""
    (model,) = given.models
    return on_photographs(given, {f"{share:g}": Restorer(model, config(share)) for share in SHARES})


def config(share: float | None) -> RestoreConfig:
    return RestoreConfig(task="blind", scale=1, background="keep", fidelity=share)


def on_photographs(given: argparse.Namespace, ways: dict[str, Restorer]) -> dict[str, Any]:
    root = Path(given.data_root)
    whole = open_source(root / f"{REAL}.tar")
    faces = [i for i, name in enumerate(whole.names) if Path(name).name.startswith("face_")]
    source = PictureSource([whole.entries[i] for i in faces]).first(given.limit or len(faces))
    good = open_source(root / f"{TEST}.tar")
    columns, distances, seen = measure_real(ways, source, good.first(given.limit or len(good)), told)
    if given.sheet:
        pairs = [face for row in zip(*seen.values(), strict=True) for face in row]
        write_picture(Picture(picture_grid(torch.cat(pairs), columns=2 * len(seen))), given.sheet)
    first = next(iter(ways))
    rows: list[dict[str, Any]] = []
    for way, column in columns.items():
        told_of = column.as_dict(columns[first] if way not in (first, INPUT) else None)
        rows.append({"way": way, **told_of, "fd_squeezenet": distances[way]})
        print(json.dumps(rows[-1], indent=1))
    return {
        "set": f"{REAL}, face_*, {len(source)} photographs; the main face of each, at 256 pixels",
        "good": TEST,
        "model": [given.models[0]] if len(ways) != len(given.models) else given.models,
        "origin": measured_here(),
        "rows": rows,
    }


SECTIONS = {"prior": prior, "restorer": restorer, "shipped": restorer, "real": real, "fidelity": fidelity}
RUN = "runs/blind/fusion-bfr-64{}/best.safetensors"
VARIANTS = ("", "-without-mrfr", "-without-fusion", "-without-prior")
MODELS = {
    "prior": ["stylegan2-64"],
    "restorer": [RUN.format(variant) for variant in VARIANTS],
    "shipped": ["fusion-bfr-64"],
    "real": ["fusion-bfr-64"],
    "fidelity": ["fusion-bfr-64"],
}


if __name__ == "__main__":
    run_section(__doc__, SECTIONS, MODELS)
