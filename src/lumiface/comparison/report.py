"""From stored scores to one report: rows with intervals and costs, and the faces of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lumiface.comparison.config import Budget, Table
from lumiface.comparison.plan import PlannedRow
from lumiface.comparison.scores import (
    COST,
    STAGES,
    Measured,
    read_kept,
    read_measured,
    references_row,
    set_name,
)
from lumiface.comparison.workers import Workers
from lumiface.data.benchmarks.llf import LLFPair, LLFSettings, build_pair
from lumiface.data.sources import open_source
from lumiface.evaluation.benchmark import CONVENTIONS
from lumiface.evaluation.bootstrap import bootstrap_interval
from lumiface.imaging.quantize import from_uint8, to_uint8
from lumiface.registry import load_model

COST_CONVENTIONS = {
    "params": "trained numbers of all stages",
    "gflops": "10^9 floating-point operations for one face; a multiply-add counts as two",
    "ms_per_face": "median of 9 forward passes, batch of one, one process alone on the machine",
    "peak_mib": "most memory that tensors held at once beyond the weights, float32, batch of one",
    "cost_machine": "what time was measured on",
    "budget_images": "faces that each trained stage has seen",
    "psnr_y_behind_best": "mean PSNR-Y of the set's best row less this row's, over the same pictures; its "
    "interval by bootstrap over pictures: where it holds 0, the two cannot be told apart",
}


def build_report(
    table: Table,
    budget: Budget,
    rows: Sequence[PlannedRow],
    machine: Workers,
) -> dict[str, Any]:
    """All that the writers of Markdown, CSV, JSON and HTML need, as plain values."""
    told: list[dict[str, Any]] = []
    per_image: dict[str, Any] = {}
    protocols: dict[str, Any] = {}
    for source in table.sets:
        name = set_name(source)
        measured = _measured_on(table, rows, source)
        protocols[name] = next(iter(measured.values())).protocol
        best = _best(measured, rows)
        for method, scores in measured.items():
            row = next((row for row in rows if row.name == method), None)
            told.append(_row(method, name, row, scores, best, table.seed))
        per_image[name] = {
            method: {"names": scores.names, "gamma": scores.gammas, **scores.per_image}
            for method, scores in measured.items()
        }
    training = {key: value for key, value in budget.training.items() if key not in ("train", "validate_on")}
    images = max((row["budget_images"] for row in told), default=0)
    return {
        "title": table.title,
        "budget": {"name": table.budget, "description": budget.description, "images": images, **training},
        "origin": _origin(protocols, machine),
        "conventions": CONVENTIONS | COST_CONVENTIONS,
        "sets": {name: _set_facts(protocol) for name, protocol in protocols.items()},
        "rows": told,
        "per_image": per_image,
        "published": table.published,
    }


def figure_faces(
    table: Table, rows: Sequence[PlannedRow], machine: Workers
) -> dict[str, list[dict[str, Any]]]:
    """A few faces of each set, from the brightest to the darkest, with what every row makes of them.

    Returns:
        set -> faces, each with name, gamma, low (h, w, 3), high (H, W, 3) and outputs, all uint8.
    """
    settings = LLFSettings(table.hr_size, table.scale, table.seed)
    faces: dict[str, list[dict[str, Any]]] = {}
    for source in table.sets:
        pairs = _chosen(source.format(data=machine.data_root), settings, table.figure_faces)
        faces[set_name(source)] = [
            {"name": pair.name, "gamma": pair.darkening.gamma, "low": pair.lr, "high": pair.hr, "outputs": {}}
            for pair in pairs
        ]
    for row in rows:
        if not row.is_trained:  # measured before, and its weights are gone
            continue
        network = load_model(row.model, machine.device)
        for shown in faces.values():
            for face in shown:
                low = from_uint8(face["low"].copy()).to(machine.device)
                with torch.inference_mode():
                    output = network(low)
                face["outputs"][row.name] = to_uint8(output.float().cpu())[0].permute(1, 2, 0).numpy()
    return faces


def _chosen(source: str, settings: LLFSettings, count: int) -> list[LLFPair]:
    """`count` pictures at equal steps through the first hundred, sorted by darkness."""
    if count == 0:
        return []
    pictures = open_source(source)
    step = max(1, min(len(pictures), 100) // count)
    chosen = [
        build_pair(pictures.read(index), pictures.names[index], settings)
        for index in range(0, min(len(pictures), step * count), step)
    ]
    return sorted(chosen, key=lambda pair: pair.darkening.gamma)


def _measured_on(table: Table, rows: Sequence[PlannedRow], source: str) -> dict[str, Measured]:
    """Method -> scores on one set: simple references first, the table's rows next, the oracle last."""
    found: dict[str, Measured] = {}
    references: list[Measured] = []
    if table.references:
        references = read_measured(references_row(rows).scores, source)
    for scores in references:
        if scores.row["method"] != "oracle":
            found[scores.row["method"]] = scores
    for row in rows:
        (scores,) = read_measured(row.scores, source)
        found[row.name] = scores
    for scores in references:
        if scores.row["method"] == "oracle":
            found["oracle"] = scores
    return found


def _best(measured: dict[str, Measured], rows: Sequence[PlannedRow]) -> Measured:
    return max((measured[row.name] for row in rows), key=lambda scores: scores.row["psnr_y"] or 0.0)


def _row(
    method: str,
    set_: str,
    row: PlannedRow | None,
    scores: Measured,
    best: Measured,
    seed: int,
) -> dict[str, Any]:
    behind = np.array(best.per_image["psnr_y"], float) - np.array(scores.per_image["psnr_y"], float)
    stages = [] if row is None else read_kept(row, STAGES)
    nothing = {"params": 0, "gflops": None, "ms_per_face": None, "peak_mib": None, "cost_machine": None}
    columns = {key: value for key, value in scores.row.items() if key not in nothing}
    return {
        **columns,
        "stages": stages,
        "set": set_,
        "cost_machine": "what time was measured on",
        "budget_images": max((stage["trained_images"] for stage in stages), default=0),
        **(nothing if row is None else read_kept(row, COST)),
        "psnr_y_behind_best": float(behind.mean()),
        "psnr_y_behind_best_ci": bootstrap_interval(behind, seed),
    }


def _origin(protocols: dict[str, Any], machine: Workers) -> dict[str, Any]:
    first = next(iter(protocols.values()))
    kept = ("device", "versions", "commit")
    return {key: first[key] for key in kept} | {"threads": machine.threads, "jobs": machine.jobs}


def _set_facts(protocol: dict[str, Any]) -> dict[str, Any]:
    kept = ("data", "images", "hr_size", "scale", "seed", "pairs_sha256")
    return {key: protocol[key] for key in kept}
