"""From stored scores to one report: rows with intervals and costs, and the faces of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lumiface.comparison.config import Budget, Table
from lumiface.comparison.plan import PlannedRow
from lumiface.comparison.scores import (
    COST,
    STAGES,
    Measured,
    read_measured,
    read_stored,
    references_row,
    set_name,
)
from lumiface.comparison.workers import Workers
from lumiface.data.benchmarks.llf import LLFPair, LLFSettings, build_pair
from lumiface.data.sources import open_source
from lumiface.evaluation.benchmark import CONVENTIONS
from lumiface.imaging.quantize import from_uint8, to_uint8
from lumiface.registry import load_model

COST_CONVENTIONS = {
    "params": "number of parameters of all stages",
    "gflops": "10^9 floating-point operations per face; a multiply-add counts as two",
    "ms_per_face": "median of 9 forward passes, batch of one, one process alone on the machine",
    "peak_mib": "peak memory of tensors beyond the weights, float32, batch of one",
    "cost_machine": "machine on which the time was measured",
    "budget_images": "training images of each trained stage",
    "psnr_y_behind_best": "mean PSNR-Y of the set's best row minus this row's, over the same pictures; its "
    "interval by bootstrap over pictures: where it contains 0, the two do not differ significantly",
}


def build_report(
    table: Table,
    budget: Budget,
    rows: Sequence[PlannedRow],
    workers: Workers,
) -> dict[str, Any]:
    """The input of the Markdown, CSV, JSON and HTML writers, as plain values."""
    report_rows: list[dict[str, Any]] = []
    per_image: dict[str, Any] = {}
    protocols: dict[str, Any] = {}
    for source in table.sets:
        name = set_name(source)
        measured = _measured_on(table, rows, source)
        protocols[name] = next(iter(measured.values())).protocol
        best = _best(measured, rows)
        for method, scores in measured.items():
            row = next((row for row in rows if row.name == method), None)
            report_rows.append(_row(method, name, row, scores, best, table.seed))
        per_image[name] = {
            method: {"names": scores.names, "gamma": scores.gammas, **scores.per_image}
            for method, scores in measured.items()
        }
    training = {key: value for key, value in budget.training.items() if key not in ("train", "validate_on")}
    images = max((row["budget_images"] for row in report_rows), default=0)
    return {
        "title": table.title,
        "budget": {"name": table.budget, "description": budget.description, "images": images, **training},
        "origin": _provenance(protocols, workers),
        "conventions": CONVENTIONS | COST_CONVENTIONS,
        "sets": {name: _describe_set(protocol) for name, protocol in protocols.items()},
        "rows": report_rows,
        "per_image": per_image,
        "published": table.published,
    }


def figure_faces(
    table: Table, rows: Sequence[PlannedRow], workers: Workers
) -> dict[str, list[dict[str, Any]]]:
    """A few faces of each set, from the brightest to the darkest, with every row's output.

    Returns:
        set -> faces, each with name, gamma, input (h, w, 3), target (H, W, 3) and outputs, all uint8.
    """
    settings = LLFSettings(table.hr_size, table.scale, table.seed)
    faces: dict[str, list[dict[str, Any]]] = {}
    for source in table.sets:
        pairs = _select_pairs(source.format(data=workers.data_root), settings, table.figure_faces)
        faces[set_name(source)] = [
            {
                "name": pair.name,
                "gamma": pair.darkening.gamma,
                "input": pair.lr,
                "target": pair.hr,
                "outputs": {},
            }
            for pair in pairs
        ]
    for row in rows:
        if not row.is_trained:  # measured earlier, its weights were deleted
            continue
        network = load_model(row.model, workers.device)
        for set_faces in faces.values():
            for face in set_faces:
                inputs = from_uint8(face["input"].copy()).to(workers.device)
                with torch.inference_mode():
                    output = network(inputs)
                face["outputs"][row.name] = to_uint8(output.float().cpu())[0].permute(1, 2, 0).numpy()
    return faces


def _select_pairs(source: str, settings: LLFSettings, count: int) -> list[LLFPair]:
    """`count` pictures at equal steps through the first hundred, sorted by darkness."""
    if count == 0:
        return []
    pictures = open_source(source)
    step = max(1, min(len(pictures), 100) // count)
    pairs = [
        build_pair(pictures.read(index), pictures.names[index], settings)
        for index in range(0, min(len(pictures), step * count), step)
    ]
    return sorted(pairs, key=lambda pair: pair.darkening.gamma)


def _measured_on(table: Table, rows: Sequence[PlannedRow], source: str) -> dict[str, Measured]:
    """Method -> scores on one set: simple references first, the table's rows next, the oracle last."""
    found: dict[str, Measured] = {}
    references: list[Measured] = []
    if table.references:
        references = read_measured(references_row(rows).score_folder, source)
    for scores in references:
        if scores.row["method"] != "oracle":
            found[scores.row["method"]] = scores
    for row in rows:
        (scores,) = read_measured(row.score_folder, source)
        found[row.name] = scores
    for scores in references:
        if scores.row["method"] == "oracle":
            found["oracle"] = scores
    return found


def _best(measured: dict[str, Measured], rows: Sequence[PlannedRow]) -> Measured:
    return max((measured[row.name] for row in rows), key=lambda scores: scores.row["psnr_y"] or 0.0)


def _row(
    method: str,
    test_set: str,
    row: PlannedRow | None,
    scores: Measured,
    best: Measured,
    seed: int,
) -> dict[str, Any]:
    behind = best.accumulator(seed).difference("psnr_y", scores.accumulator(seed))
    stages = [] if row is None else read_stored(row, STAGES)
    no_cost = {"params": 0, "gflops": None, "ms_per_face": None, "peak_mib": None, "cost_machine": None}
    return {
        **{key: value for key, value in scores.row.items() if key not in no_cost},
        "stages": stages,
        "set": test_set,
        "budget_images": max((stage["trained_images"] for stage in stages), default=0),
        **(no_cost if row is None else read_stored(row, COST)),
        "psnr_y_behind_best": None if behind is None else behind.value,
        "psnr_y_behind_best_ci": None if behind is None else behind.interval,
    }


def _provenance(protocols: dict[str, Any], workers: Workers) -> dict[str, Any]:
    first = next(iter(protocols.values()))
    keys = ("device", "versions", "commit")
    return {key: first[key] for key in keys} | {"threads": workers.threads, "jobs": workers.jobs}


def _describe_set(protocol: dict[str, Any]) -> dict[str, Any]:
    keys = ("data", "images", "hr_size", "scale", "seed", "pairs_sha256")
    return {key: protocol[key] for key in keys}
