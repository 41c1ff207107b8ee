"""From stored scores to one report: rows with intervals and costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from lumiface.comparison.config import Budget, Table
from lumiface.comparison.differences import difference_of, values_of
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
from lumiface.comparison.seeds import seeded_mean
from lumiface.comparison.workers import Workers
from lumiface.evaluation.benchmark import conventions
from lumiface.evaluation.metric_suite import METRICS
from lumiface.evaluation.protocols import BENCHMARKS, BenchmarkName
from lumiface.evaluation.reference_rows import ORACLE

COST_CONVENTIONS = {
    "params": "number of parameters of all stages",
    "gflops": "10^9 floating-point operations per face; a multiply-add counts as two",
    "ms_per_face": "median of 9 forward passes, batch of one, one process alone on the machine",
    "peak_mib": "peak memory of tensors beyond the weights, float32, batch of one",
    "cost_machine": "machine on which the time was measured",
    "budget_images": "training images of each trained stage",
}


def _conventions(protocols: Iterable[BenchmarkName]) -> dict[str, str]:
    found: dict[str, str] = {}
    for protocol in protocols:
        metric = BENCHMARKS[protocol].metrics[0]
        found |= conventions(protocol)
        found[f"{metric}_behind_best"] = (
            f"mean {metric} of the set's best row minus this row's, over the same pictures; its interval by "
            "bootstrap over pictures, or of rows with several seeds over seeds and pictures: where it "
            "contains 0, the two do not differ significantly"
        )
    return found | COST_CONVENTIONS


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
    commits: set[str] = set()
    for test_set in table.sets:
        name = set_name(test_set.source)
        measured = _measured_on(table, rows, test_set.source)
        protocols[name] = next(iter(measured.values())).protocol
        commits |= {scores.protocol["commit"] or "unknown" for scores in measured.values()}
        grouped = _group(measured, rows)
        best = _best(grouped, rows)
        for method, scores in grouped.items():
            own = [row for row in rows if row.group == method]
            found = _row(method, name, own, scores, best, table.seed)
            if table.against in grouped and method != table.against:
                found["against"] = _differences(scores, grouped[table.against], table.seed)
            report_rows.append(found)
        per_image[name] = {
            method: {"names": scores.names, "gamma": scores.gammas, **scores.per_image}
            for method, (scores, *_) in grouped.items()
        }
    settings = budget.training | budget.protocols.get(table.protocol, {})
    training = {key: value for key, value in settings.items() if key not in ("train", "validate_on")}
    images = max((row["budget_images"] for row in report_rows), default=0)
    return {
        "title": table.title,
        "budget": {"name": table.budget, "description": budget.description, "images": images, **training},
        "origin": _provenance(protocols, workers) | {"commits": sorted(commits)},
        "conventions": _conventions({test_set.protocol or table.protocol for test_set in table.sets}),
        "sets": {name: _describe_set(protocol) for name, protocol in protocols.items()},
        "rows": report_rows,
        "per_image": per_image,
        "published": table.published,
        "impossible": table.impossible,
    }


def _measured_on(table: Table, rows: Sequence[PlannedRow], source: str) -> dict[str, Measured]:
    """Method -> scores on one set: simple references first, the table's rows next, the oracle last."""
    found: dict[str, Measured] = {}
    references: list[Measured] = []
    if table.references:
        references = read_measured(references_row(rows).score_folder, source)
    for scores in references:
        if scores.row["method"] != ORACLE:
            found[scores.row["method"]] = scores
    for row in rows:
        (scores,) = read_measured(row.score_folder, source)
        found[row.name] = scores
    for scores in references:
        if scores.row["method"] == ORACLE:
            found[ORACLE] = scores
    return found


def _group(measured: dict[str, Measured], rows: Sequence[PlannedRow]) -> dict[str, list[Measured]]:
    """Row of the table (or reference) -> its scores at each seed, in the order of the table."""
    groups = {row.name: row.group for row in rows}
    found: dict[str, list[Measured]] = {}
    for name, scores in measured.items():
        found.setdefault(groups.get(name, name), []).append(scores)
    return found


def _best(grouped: dict[str, list[Measured]], rows: Sequence[PlannedRow]) -> list[Measured]:
    """Of the rows that were trained, those with the best mean of the set's first metric."""
    names = {row.group for row in rows}
    candidates = [scores for name, scores in grouped.items() if name in names]
    metric = candidates[0][0].metrics[0]

    def mean(scores: list[Measured]) -> float:
        values = [one.row[metric] for one in scores if one.row[metric] is not None]
        worst = -math.inf if METRICS[metric].better == "higher" else math.inf
        return sum(values) / len(values) if values else worst

    return (max if METRICS[metric].better == "higher" else min)(candidates, key=mean)


def _row(
    method: str,
    test_set: str,
    rows: Sequence[PlannedRow],
    scores: list[Measured],
    best: list[Measured],
    seed: int,
) -> dict[str, Any]:
    row = next(iter(rows), None)
    metric = scores[0].metrics[0]
    stages = [] if row is None else read_stored(row, STAGES)
    no_cost = {"params": 0, "gflops": None, "ms_per_face": None, "peak_mib": None, "cost_machine": None}
    found: dict[str, Any] = {
        **{key: value for key, value in scores[0].row.items() if key not in no_cost},
        "method": method,
        "stages": stages,
        "set": test_set,
        "budget_images": max((stage["trained_images"] for stage in stages), default=0),
        **(no_cost if row is None else read_stored(row, COST)),
    }
    if len(scores) > 1:
        found |= _seeded(scores)
    behind = difference_of(best, scores, metric, seed)
    value, interval = (None, None) if behind is None else (behind["difference"], behind["ci"])
    return found | {f"{metric}_behind_best": value, f"{metric}_behind_best_ci": interval}


def _seeded(scores: list[Measured]) -> dict[str, Any]:
    """Means and intervals over seeds and pictures, and the mean at each seed."""
    found: dict[str, Any] = {"seeds": len(scores)}
    for metric in scores[0].metrics:
        means = [one.row[metric] for one in scores]
        found[f"{metric}_by_seed"] = means
        if METRICS[metric].kind == "set":
            found[metric] = None if None in means else sum(means) / len(means)
        elif (mean := seeded_mean(values_of(scores, metric))) is not None:
            found |= {metric: mean.value, f"{metric}_ci": mean.interval}
    return found


def _differences(scores: list[Measured], first: list[Measured], seed: int) -> dict[str, Any]:
    """Metric -> this row minus another; see `difference_of`."""
    metrics = [name for name in scores[0].metrics if METRICS[name].kind != "set"]
    found = {metric: difference_of(scores, first, metric, seed) for metric in metrics}
    return {metric: difference for metric, difference in found.items() if difference is not None}


def _provenance(protocols: dict[str, Any], workers: Workers) -> dict[str, Any]:
    first = next(iter(protocols.values()))
    keys = ("device", "versions")
    return {key: first[key] for key in keys} | {"threads": workers.threads, "jobs": workers.jobs}


def _describe_set(protocol: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "data", "images", "hr_size", "scale", "seed", "pairs_sha256")
    return {key: protocol[key] for key in keys if key in protocol}
