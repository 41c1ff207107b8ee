"""Scores of a table's rows on its sets, one file a row and set; what is there is never measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lumiface.comparison.config import Table
from lumiface.comparison.plan import PlannedRow, PlannedStage
from lumiface.comparison.workers import Workers, worker_pool
from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes
from lumiface.evaluation.benchmark import evaluate
from lumiface.evaluation.cost import machine_name, measure_cost
from lumiface.evaluation.reference_rows import REFERENCES
from lumiface.registry import Chain, build, load_model, read_metadata

ROWS_PER_WORKER = 6
"""Rows that one worker measures at once: the set's pictures are made and its faces found once for all."""

REFERENCE_ROW = "references"
COST, STAGES = "cost.json", "stages.json"

SCORE_DECIMALS = 5
"""Behind the point, of a picture's score as it is kept."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One row on one set, as its file holds it.

    Attributes:
        row: the columns, as `Row.as_dict` gives them.
        protocol: how the set was made, and with which versions.
        names, gammas: of the pictures.
        per_image: column -> one number a picture.
    """

    row: dict[str, Any]
    protocol: dict[str, Any]
    names: list[str]
    gammas: list[float]
    per_image: dict[str, list[float | None]]


def is_measured(table: Table, row: PlannedRow) -> bool:
    """Whether a row needs no weights any more: what is left, its cost, is measured without."""
    wanted = [f"{set_name(source)}.json" for source in table.sets] + [STAGES]
    return all((row.scores / name).is_file() for name in wanted)


def set_name(source: str) -> str:
    """ "{data}/faces256-test.tar" -> "faces256-test"."""
    return Path(source).stem


def measure_missing(
    table: Table, rows: Sequence[PlannedRow], machine: Workers, tell: Callable[[str], None]
) -> None:
    """Evaluate every row on every set where that has not been done; all rows must be trained.

    Raises:
        LumifaceError: a set or a model cannot be read.
    """
    tasks = list(_tasks(table, rows))
    if not tasks:
        return
    tell(f"measuring {sum(len(group) for _, group in tasks)} rows on their sets")
    with worker_pool(machine) as pool:
        jobs = {
            pool.submit(_measure, table, source, group, machine): (source, group) for source, group in tasks
        }
        for job in as_completed(jobs):
            job.result()
            source, group = jobs[job]
            tell(f"{set_name(source)}: {', '.join(row.name for row in group)} measured")


def read_measured(folder: Path, source: str) -> list[Measured]:
    """What `measure_missing` stored for a row (or the references) on a set, most often one."""
    path = folder / f"{set_name(source)}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and compare again") from error
    return [Measured(**measured) for measured in stored]


def references_row(rows: Sequence[PlannedRow]) -> PlannedRow:
    """Bicubic, mean-gamma and the oracle, kept beside the rows' scores as if they were one of them."""
    return PlannedRow(REFERENCE_ROW, (), rows[0].scores.parent / REFERENCE_ROW)


def measure_costs(table: Table, rows: Sequence[PlannedRow], device: str, tell: Callable[[str], None]) -> None:
    """Cost of every row for one face; measured one after another, so that none disturbs another.

    Costs of another machine are measured again: times of two machines do not belong in one table.
    """
    here = machine_name(device)
    for row in rows:
        path = row.scores / COST
        if path.is_file() and read_kept(row, COST)["cost_machine"] == here:
            continue
        tell(f"{row.name}: cost")
        cost = measure_cost(_untrained(row), table.hr_size // table.scale, device)
        write_bytes(path, json.dumps(cost.as_dict() | {"cost_machine": here}).encode())


def _untrained(row: PlannedRow) -> nn.Module:
    """The row's networks without their weights, on which no cost depends."""
    stages = [
        load_model(stage.method) if stage.run is None else build(stage.method, stage.run.network)
        for stage in row.stages
    ]
    return stages[0] if len(stages) == 1 else Chain(*stages)


def keep_stage_facts(rows: Sequence[PlannedRow]) -> None:
    """What is to be told of each row's networks, kept beside the scores: the weights may go."""
    for row in rows:
        path = row.scores / STAGES
        if not path.is_file():
            write_bytes(path, json.dumps([_stage_facts(stage) for stage in row.stages]).encode())


def read_kept(row: PlannedRow, name: str) -> Any:
    """A row's `COST` or `STAGES`."""
    return json.loads((row.scores / name).read_text(encoding="utf-8"))


def _stage_facts(stage: PlannedStage) -> dict[str, Any]:
    if stage.run is None or stage.folder is None:
        return {"method": stage.method, "task": stage.task, "settings": {}, "trained_images": 0}
    provenance = read_metadata(stage.folder / "last.safetensors")["provenance"]
    return {
        "method": stage.method,
        "task": stage.task,
        "settings": {
            "network": stage.run.network,
            "recipe": stage.run.recipe,
            "seed": stage.run.seed,
        },
        "trained_images": stage.run.steps * stage.run.batch,
        "minutes": provenance["minutes"],
        "machine": provenance["machine"],
        "validation_psnr_y": provenance["best_psnr_y"],
    }


def _tasks(table: Table, rows: Sequence[PlannedRow]) -> Iterator[tuple[str, list[PlannedRow]]]:
    wanted = [references_row(rows), *rows] if table.references else list(rows)
    for source in table.sets:
        name = f"{set_name(source)}.json"
        missing = [row for row in wanted if not (row.scores / name).is_file()]
        for start in range(0, len(missing), ROWS_PER_WORKER):
            yield source, missing[start : start + ROWS_PER_WORKER]


def _measure(table: Table, source: str, rows: list[PlannedRow], machine: Workers) -> None:
    """In a worker: some rows on one set, each row's numbers into its own file."""
    models = {row.name: row.model for row in rows if row.stages}
    wants_references = len(models) < len(rows)
    result = evaluate(
        models,
        source.format(data=machine.data_root),
        hr_size=table.hr_size,
        scale=table.scale,
        seed=table.seed,
        references=wants_references,
        device=machine.device,
    )
    gammas = [round(gamma, SCORE_DECIMALS) for gamma in result.gammas]
    stored: dict[str, list[dict[str, Any]]] = {}
    for row in result.rows:
        if row.method not in models and row.method not in REFERENCES:
            continue  # a shipped network among the references has had another budget
        owner = row.method if row.method in models else REFERENCE_ROW
        scores = {
            column: [None if score is None else round(score, SCORE_DECIMALS) for score in column_scores]
            for column, column_scores in result.per_image[row.method].items()
        }
        measured = Measured(row.as_dict(), result.protocol, result.names, gammas, scores)
        stored.setdefault(owner, []).append(
            {field: getattr(measured, field) for field in Measured.__dataclass_fields__}
        )
    for row in rows:
        path = row.scores / f"{set_name(source)}.json"
        write_bytes(path, json.dumps(stored[row.name]).encode())
