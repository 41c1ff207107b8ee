"""Headings and notes that explain the scores, for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lumiface.comparison.html.formats import format_value, humanize
from lumiface.comparison.html.views import ORACLE, SetView, num_without_face

PUBLISHED_HEADING = "The paper's table"
PUBLISHED = (
    "Published scores beside the measured ones, for methods that have both. Test images, training data and "
    "budget differ: compare the order of the methods, not the values."
)
IMPOSSIBLE_HEADING = "Rows of the paper that cannot be run"
TRAINED_HEADING = "Training of each method"
CONVENTIONS_HEADING = "Conventions"
PROVENANCE_HEADING = "Provenance"


SEEDS = (
    "Rows that were trained with several seeds: the mean over them; intervals are over seeds and images "
    "(Student's, variances of both added)."
)


def score_notes(view: SetView) -> list[str]:
    """Notes on a set's table; only those that apply to it."""
    notes = [
        "Brackets: 95 % bootstrap intervals over the images; differences to the best are paired by image.",
        *([SEEDS] if any(row.get("seeds") for row in view.rows) else []),
        "≈: not significantly different from the best (the paired interval includes zero).",
    ]
    if view.trained != view.rows:
        notes.append("Reference rows (grey on the page) are not ranked.")
    if any(row["method"] == ORACLE for row in view.rows):
        notes.append("The oracle inverts the true darkening of each image.")
    if any(num_without_face(row) for row in view.rows):
        notes.append("In brackets after a landmark error: number of images without a detected face.")
    if any(view.is_undertrained(row) for row in view.rows):
        budget = f"the budget of {view.budget_images:,.0f}"
        notes.append(
            f"† a stage was trained on fewer images than {budget}; it may improve with more training."
        )
    return notes


def budget_description(report: Mapping[str, Any]) -> str:
    """The budget's description; empty where it has none."""
    return str((report.get("budget") or {}).get("description") or "")


def budget_settings(report: Mapping[str, Any]) -> dict[str, str]:
    """The budget's other settings: name -> text."""
    settings = {key: value for key, value in (report.get("budget") or {}).items() if key != "description"}
    return {
        ("budget" if key == "name" else humanize(str(key))): format_value(value)
        for key, value in settings.items()
    }


def provenance(report: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, machine, and how each set was built."""
    return {**(report.get("origin") or {}), **({"sets": report["sets"]} if report.get("sets") else {})}


def trained_stages(views: Sequence[SetView]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(method, stage, task, entry) of every trained stage; once per method, although it has several sets."""
    done: set[str] = set()
    for row in (row for view in views for row in view.rows):
        if row["method"] in done:
            continue
        done.add(row["method"])
        for stage in row.get("stages") or []:
            yield str(row["method"]), str(stage.get("method") or "–"), str(stage.get("task") or "–"), stage
