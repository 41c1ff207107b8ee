"""One command from a table's file to its report; whatever was finished before is used as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumiface.comparison.config import Budget, Table
from lumiface.comparison.plan import plan_rows, planned_runs
from lumiface.comparison.report import build_report, figure_faces
from lumiface.comparison.scores import is_measured, keep_stage_facts, measure_costs, measure_missing
from lumiface.comparison.workers import Workers, train_missing


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found.

    Attributes:
        report: plain values for `lumiface.comparison.html`; None where no row is finished.
        pictures: set -> faces with every row's output.
        failures: one line for each run that failed or is not finished; their rows are left out.
    """

    report: dict[str, Any] | None
    pictures: dict[str, list[dict[str, Any]]]
    failures: list[str]


def compare(
    table: Table, budget: Budget, folder: Path, machine: Workers, tell: Callable[[str], None] = print
) -> Comparison:
    """Train what is missing, measure what is missing, put it together.

    Args:
        folder: runs and scores are kept here; several tables may share it, and then their equal runs.
        tell: receives a line whenever something is done.

    Raises:
        LumifaceError: a setting is wrong, or a set cannot be read. A run that fails costs only its own rows.
    """
    rows = plan_rows(table, budget, folder)
    unfinished = [row for row in rows if not is_measured(table, row)]
    failures = train_missing(planned_runs(unfinished), machine, tell)
    ready = [row for row in rows if row.is_trained or is_measured(table, row)]
    if not ready:
        return Comparison(None, {}, failures)
    measure_missing(table, ready, machine, tell)
    measure_costs(table, ready, machine.device, tell)
    keep_stage_facts(ready)
    tell("writing the report")
    report = build_report(table, budget, ready, machine)
    return Comparison(report, figure_faces(table, ready, machine), failures)
