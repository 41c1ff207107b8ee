"""The faces of a report's figures: a few of each set, with every row's output."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch

from lumiface.comparison.config import Table, TestSet
from lumiface.comparison.plan import PlannedRow
from lumiface.comparison.scores import set_name
from lumiface.comparison.workers import Workers
from lumiface.data.faults import Faults
from lumiface.evaluation.protocols import Case, open_benchmark
from lumiface.imaging.quantize import from_uint8, to_uint8
from lumiface.registry import load_model


def figure_faces(
    table: Table, rows: Sequence[PlannedRow], workers: Workers
) -> dict[str, list[dict[str, Any]]]:
    """A few faces of each set, from the brightest to the darkest, with every row's output.

    Returns:
        set -> faces, each with name, gamma, input (h, w, 3), target (H, W, 3) and outputs, all uint8.
    """
    faces: dict[str, list[dict[str, Any]]] = {}
    for test_set in table.sets:
        faces[set_name(test_set.source)] = [
            {
                "name": case.name,
                "gamma": case.parameters.get("gamma"),
                "input": case.input,
                "target": case.target,
                "outputs": {},
            }
            for case in _select_cases(table, test_set, workers.data_root)
        ]
    for row in rows:
        if not row.is_trained or row.name != row.group:  # its weights were deleted; or another seed
            continue
        network = load_model(row.model, workers.device)
        for set_faces in faces.values():
            for face in set_faces:
                inputs = from_uint8(face["input"].copy()).to(workers.device)
                with torch.inference_mode():
                    output = network(inputs)
                face["outputs"][row.name] = to_uint8(output.float().cpu())[0].permute(1, 2, 0).numpy()
    return faces


def _select_cases(table: Table, test_set: TestSet, data_root: str) -> list[Case]:
    """`figure_faces` pictures at equal steps through the first hundred, sorted by darkness."""
    if table.figure_faces == 0:
        return []
    benchmark = open_benchmark(
        test_set.protocol or table.protocol,
        test_set.source.format(data=data_root),
        hr_size=table.hr_size,
        scale=table.scale,
        seed=table.seed,
        limit=min(100, table.limit or 100),
        faults=Faults(),
    )
    step = max(1, (benchmark.count or 100) // table.figure_faces)
    cases = list(islice(benchmark.cases, 0, step * table.figure_faces, step))
    return sorted(cases, key=lambda case: case.parameters.get("gamma", 0.0))
