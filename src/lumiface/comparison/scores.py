"""Scores of a table's rows on its sets, one file per row and set; what is stored is never measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from lumiface.comparison.config import Table, TestSet
from lumiface.comparison.plan import PlannedRow, PlannedStage
from lumiface.comparison.workers import Workers, worker_pool
from lumiface.core.device import machine_name
from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.benchmark import evaluate
from lumiface.evaluation.cost import measure_cost
from lumiface.evaluation.protocols import BENCHMARKS
from lumiface.evaluation.reference_rows import REFERENCES
from lumiface.registry import Chain, build, load_model, read_metadata
from lumiface.training.config import TrainConfig

ROWS_PER_WORKER = 6
"""Rows that one worker measures together; they share the built pictures and the detected faces."""

REFERENCE_ROW = "references"
COST, STAGES = "cost.json", "stages.json"

SCORE_DECIMALS = 5
"""Decimals of a picture's score in the files."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One row on one set, as in its file.

    Attributes:
        row: the scores, as from `benchmark.Row.as_dict`.
        protocol: how the set was built, and with which versions.
        names, gammas: of the pictures, and γ of their darkening; empty where they are not darkened.
        per_image: metric -> one score per picture.
        metrics: of the set's table; the first is that of the ranking.
    """

    row: dict[str, Any]
    protocol: dict[str, Any]
    names: list[str]
    gammas: list[float]
    per_image: dict[str, list[float | None]]
    metrics: list[str] = field(default_factory=lambda: list(BENCHMARKS["llf"].metrics))

    def accumulator(self, seed: int) -> ScoreAccumulator:
        """The scores per picture; `seed`: of the bootstrap."""
        return ScoreAccumulator.from_lists({"names": self.names, **self.per_image}, seed)


def is_measured(table: Table, row: PlannedRow) -> bool:
    """Whether a row no longer needs its weights: its cost, which may be missing, is measured without them."""
    files = [f"{set_name(one.source)}.json" for one in table.sets] + [STAGES]
    return all((row.score_folder / name).is_file() for name in files)


def set_name(source: str) -> str:
    """ "{data}/faces256-test.tar" -> "faces256-test"."""
    return Path(source).stem


def measure_missing(
    table: Table, rows: Sequence[PlannedRow], workers: Workers, log: Callable[[str], None]
) -> None:
    """Evaluate every row on every set for which it has no scores yet; all rows must be trained.

    Raises:
        LumifaceError: a set or a model cannot be read.
    """
    groups = list(_missing_groups(table, rows))
    if not groups:
        return
    log(f"measuring {sum(len(group) for _, group in groups)} rows on their sets")
    with worker_pool(workers) as pool:
        jobs = {
            pool.submit(_measure, table, test_set, group, workers): (test_set.source, group)
            for test_set, group in groups
        }
        for job in as_completed(jobs):
            job.result()
            source, group = jobs[job]
            log(f"{set_name(source)}: {', '.join(row.name for row in group)} measured")


def read_measured(folder: Path, source: str) -> list[Measured]:
    """Scores on a set that `measure_missing` stored in the folder of a row (one) or of the references."""
    path = folder / f"{set_name(source)}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and run the command again") from error
    return [Measured(**measured) for measured in stored]


def references_row(rows: Sequence[PlannedRow]) -> PlannedRow:
    """Bicubic, mean-gamma and the oracle, stored beside the rows' scores as if they were one row."""
    return PlannedRow(REFERENCE_ROW, (), rows[0].score_folder.parent / REFERENCE_ROW, REFERENCE_ROW)


def measure_costs(table: Table, rows: Sequence[PlannedRow], device: str, log: Callable[[str], None]) -> None:
    """Cost of every row per face, measured one after another so that the times are not disturbed.

    Costs of another machine are measured again: times of two machines do not belong in one table.
    """
    machine = machine_name(device)
    for row in rows:
        path = row.score_folder / COST
        if path.is_file() and read_stored(row, COST)["cost_machine"] == machine:
            continue
        log(f"{row.name}: cost")
        cost = measure_cost(_load_row(row), table.hr_size // table.scale, device)
        write_bytes(path, json.dumps(cost.as_dict() | {"cost_machine": machine}).encode())


def _load_row(row: PlannedRow) -> nn.Module:
    """The row's networks; those trained on pairs without their weights, on which the cost does not depend."""
    stages = [
        build(stage.method, stage.run.network)
        if isinstance(stage.run, TrainConfig)
        else load_model(stage.model)
        for stage in row.stages
    ]
    return stages[0] if len(stages) == 1 else Chain(*stages)


def write_stages(rows: Sequence[PlannedRow]) -> None:
    """Store how each row's networks were trained beside its scores, so that the weights may be deleted."""
    for row in rows:
        path = row.score_folder / STAGES
        if not path.is_file():
            write_bytes(path, json.dumps([_describe_stage(stage) for stage in row.stages]).encode())


def read_stored(row: PlannedRow, name: str) -> Any:
    """A row's `COST` or `STAGES`."""
    return json.loads((row.score_folder / name).read_text(encoding="utf-8"))


def _describe_stage(stage: PlannedStage) -> dict[str, Any]:
    if stage.run is None or stage.folder is None:
        return {"method": stage.method, "task": stage.task, "settings": {}, "trained_images": 0}
    metadata = read_metadata(stage.folder / "last.safetensors")
    return {
        "method": stage.method,
        "task": stage.task,
        "settings": {
            "network": getattr(stage.run, "network", {}),
            "recipe": getattr(stage.run, "recipe", {}),
            "seed": stage.run.seed,
            **stage.run.model_dump(mode="json", include={"prior"}),  # of components that have one
        },
        "trained_images": stage.run.steps * stage.run.batch,
        "minutes": metadata["provenance"]["minutes"],
        "machine": metadata["provenance"]["machine"],
        "validation_psnr_y": (metadata["score"] or {}).get("value"),
    }


def _missing_groups(table: Table, rows: Sequence[PlannedRow]) -> Iterator[tuple[TestSet, list[PlannedRow]]]:
    """(set, rows without scores on it), up to `ROWS_PER_WORKER` rows at a time."""
    candidates = [references_row(rows), *rows] if table.references else list(rows)
    for test_set in table.sets:
        name = f"{set_name(test_set.source)}.json"
        missing = [row for row in candidates if not (row.score_folder / name).is_file()]
        for start in range(0, len(missing), ROWS_PER_WORKER):
            yield test_set, missing[start : start + ROWS_PER_WORKER]


def _measure(table: Table, test_set: TestSet, rows: list[PlannedRow], workers: Workers) -> None:
    """In a worker: some rows on one set, each row's scores into its own file."""
    models = {row.name: row.model for row in rows if row.stages}
    with_references = len(models) < len(rows)
    protocol = test_set.protocol or table.protocol
    result = evaluate(
        models,
        test_set.source.format(data=workers.data_root),
        protocol=protocol,
        hr_size=table.hr_size,
        scale=table.scale,
        seed=table.seed,
        limit=table.limit,
        references=with_references,
        device=workers.device,
    )
    gammas = [round(float(one["gamma"]), SCORE_DECIMALS) for one in result.parameters if "gamma" in one]
    stored: dict[str, list[dict[str, Any]]] = {}
    for row in result.rows:
        if row.method not in models and row.method not in REFERENCES[protocol]:
            continue  # a shipped network among the references was trained with another budget
        owner = row.method if row.method in models else REFERENCE_ROW
        scores = {
            metric: [None if score is None else round(score, SCORE_DECIMALS) for score in values]
            for metric, values in result.per_image[row.method].items()
        }
        measured = Measured(
            row.as_dict(), result.protocol, result.names, gammas, scores, list(result.metrics)
        )
        stored.setdefault(owner, []).append(
            {name: getattr(measured, name) for name in Measured.__dataclass_fields__}
        )
    for row in rows:
        path = row.score_folder / f"{set_name(test_set.source)}.json"
        write_bytes(path, json.dumps(stored[row.name]).encode())
