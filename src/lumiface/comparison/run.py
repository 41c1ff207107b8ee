"""One command from a table's file to its report; finished runs and stored scores are reused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumiface.comparison.config import Budget, Table
from lumiface.comparison.faces import figure_faces
from lumiface.comparison.plan import plan_rows, planned_runs
from lumiface.comparison.report import build_report
from lumiface.comparison.scores import is_measured, measure_costs, measure_missing, write_stages
from lumiface.comparison.workers import Workers, train_missing


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of `compare`.

    Attributes:
        report: plain values for `lumiface.comparison.html`; None if no row is finished.
        pictures: set -> faces with every row's output.
        failures: one line for each run that failed or is unfinished; their rows are left out.
    """

    report: dict[str, Any] | None
    pictures: dict[str, list[dict[str, Any]]]
    failures: list[str]


def compare(
    table: Table, budget: Budget, folder: Path, workers: Workers, log: Callable[[str], None] = print
) -> Comparison:
    """Train and measure what is missing, and build the report.

    Args:
        folder: of runs and scores; several tables may share it, and then share their identical runs.
        log: receives a line for each finished piece of work.

    Raises:
        LumifaceError: a setting is wrong, or a set cannot be read. A failed run only removes its own rows.
    """
    rows = plan_rows(table, budget, folder)
    unfinished = [row for row in rows if not is_measured(table, row)]
    failures = train_missing(planned_runs(unfinished), workers, log)
    ready = [row for row in rows if row.is_trained or is_measured(table, row)]
    if not ready:
        return Comparison(None, {}, failures)
    measure_missing(table, ready, workers, log)
    measure_costs(table, ready, workers.device, log)
    write_stages(ready)
    log("writing the report")
    report = build_report(table, budget, ready, workers)
    return Comparison(report, figure_faces(table, ready, workers), failures)
