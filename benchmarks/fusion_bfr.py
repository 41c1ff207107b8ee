"""Scores of blind restoration and of its StyleGAN2 prior, section by section.

    python benchmarks/fusion_bfr.py prior --data-root DATA --json benchmarks/results/fusion_bfr.json

prior: sampled faces. restorer: the method and the variants of its ablation, on synthetic degradation.
shipped, shipped-128: the shipped models, on the same. real: real degraded photographs, before and after.
fidelity: the same, by the option of that name. Each section of the JSON file has its own commit, machine and
settings; the other sections are not changed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from sections import (
    REAL,
    current_provenance,
    first_pictures,
    model_rows,
    real_faces,
    report_progress,
    run_section,
    training_budget,
    write_faces,
)

from lumiface.data.training.face_tensor import load_face_tensor, resize_faces
from lumiface.evaluation.studies.blind import INPUT, measure_real, measure_restorers
from lumiface.metrics.frechet import FrechetDistance, frechet_distance
from lumiface.registry import find_weights, load_model, read_metadata
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.face_generator import FaceGenerator
from lumiface.restoration.restorer import Restorer

TEST = "faces256-test"
FIDELITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
TRUNCATIONS = (1.0, 0.7, 0.5, 0.3)
NUM_SAMPLES = 1000


def prior(args: argparse.Namespace) -> dict[str, Any]:
    """Fréchet distance of sampled to held-out faces by truncation, and its course during training."""
    sections: list[dict[str, Any]] = []
    distance = FrechetDistance("squeezenet")
    for model in args.models:
        metadata = read_metadata(model)
        size = FaceGenerator(model).resolution
        real = resize_faces(load_face_tensor([Path(args.data_root) / f"{TEST}.tar"], args.limit), size)
        target = distance.features(real.float() / 255.0)
        rows: list[dict[str, float]] = []
        for truncation in TRUNCATIONS:
            faces = FaceGenerator(model, truncation).faces(args.limit or NUM_SAMPLES)
            features = torch.cat([distance.features(chunk) for chunk in faces.split(50)])
            row = {"truncation": truncation, "fd_squeezenet": float(frechet_distance(features, target))}
            rows.append(row | {"spread": float(faces.var(dim=0).mean().sqrt())})
            print(rows[-1])
        file = find_weights(model).parent / "log.jsonl"
        log = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
        sections.append(
            {
                "model": metadata["provenance"]["run"]["name"],
                "budget": training_budget(metadata),
                "side": size,
                "drawn": args.limit or NUM_SAMPLES,
                "unseen": len(real),
                "rows": rows,
                "training": [
                    {"step": entry["step"], "fd_squeezenet": -entry["minus_fd_squeezenet"]}
                    for entry in log
                    if "minus_fd_squeezenet" in entry
                ],
                "run": metadata["provenance"]["run"],
            }
        )
    return {"set": TEST, "origin": current_provenance(), "models": sections}


def restorer(args: argparse.Namespace) -> dict[str, Any]:
    """The method and its variants on the blind protocol, seed 0, at the network's own size."""
    networks: dict[str, Any] = {model: load_model(model) for model in args.models}
    side = next(iter(networks.values())).config.generator.resolution
    source = first_pictures(args, TEST)
    scores, distances = measure_restorers(networks, source, side, report_progress)
    rows = model_rows(scores, args.models)
    for row, distance in zip(rows, distances.values(), strict=True):
        row["fd_squeezenet"] = distance
        print(row["model"], distance)
    return {"set": f"{TEST}, blind, seed 0", "side": side, "origin": current_provenance(), "rows": rows}


def real(args: argparse.Namespace) -> dict[str, Any]:
    """Real degraded face photographs, before and after."""
    return restored_photographs(args, {model: Restorer(model, config(None)) for model in args.models})


def fidelity(args: argparse.Namespace) -> dict[str, Any]:
    """The same for several values of `--fidelity`, with one model."""
    (model,) = args.models
    return restored_photographs(args, {f"{value:g}": Restorer(model, config(value)) for value in FIDELITIES})


def config(fidelity: float | None) -> RestoreConfig:
    return RestoreConfig(task="blind", scale=1, background="keep", fidelity=fidelity)


def restored_photographs(args: argparse.Namespace, restorers: dict[str, Restorer]) -> dict[str, Any]:
    source, good = real_faces(args), first_pictures(args, TEST)
    scores, distances, faces = measure_real(restorers, source, good, report_progress)
    if args.sheet:
        write_faces(faces, args.sheet, columns=2 * len(faces))
    first = next(iter(restorers))
    rows: list[dict[str, Any]] = []
    for name, found in scores.items():
        values = found.as_dict(scores[first] if name not in (first, INPUT) else None)
        rows.append({"way": name, **values, "fd_squeezenet": distances[name]})
        print(json.dumps(rows[-1], indent=1))
    return {
        "set": f"{REAL}, face_*, {len(source)} photographs; the main face of each, at 256 pixels",
        "good": TEST,
        "model": [args.models[0]] if len(restorers) != len(args.models) else args.models,
        "origin": current_provenance(),
        "rows": rows,
    }


SECTIONS = {
    "prior": prior, "restorer": restorer, "shipped": restorer, "shipped-128": restorer, "real": real,
    "fidelity": fidelity,
}  # fmt: skip
RUN = "runs/blind/fusion-bfr-64{}/best.safetensors"
VARIANTS = ("", "-without-mrfr", "-without-fusion", "-without-prior")
MODELS = {
    "prior": ["stylegan2-64"],
    "restorer": [RUN.format(variant) for variant in VARIANTS],
    "shipped": ["fusion-bfr-64"],
    "shipped-128": ["fusion-bfr-128"],
    "real": ["fusion-bfr-128", "fusion-bfr-64"],
    "fidelity": ["fusion-bfr-64"],
}


if __name__ == "__main__":
    run_section(__doc__, SECTIONS, MODELS)
