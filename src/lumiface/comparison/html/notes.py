"""The words that explain the numbers, the same on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lumiface.comparison.html.formats import plain, words
from lumiface.comparison.html.views import ORACLE, SetView, faceless

PUBLISHED_HEADING = "The paper's own table"
PUBLISHED = (
    "The paper's numbers beside ours where a method has both. Pictures, training data and budget differ, so "
    "it is the order of the methods that can be compared, not the numbers."
)
TRAINED_HEADING = "How each method was trained"
CONVENTIONS_HEADING = "What the columns mean"
ORIGIN_HEADING = "Where the numbers come from"


def of_scores(view: SetView) -> list[str]:
    """What a reader of a set's table must know; only what applies to it."""
    said = [
        "Brackets: 95 % intervals over the choice of pictures; those to the best are paired by picture.",
        "≈ marks what cannot be told from the best: the paired interval includes zero.",
    ]
    if view.trained != view.rows:
        said.append("References, in grey on the page, are not counted: they show what a number is worth.")
    if any(row["method"] == ORACLE for row in view.rows):
        said.append("The oracle is told how each picture was darkened.")
    if any(faceless(row) for row in view.rows):
        said.append("After a landmark error, in brackets: pictures without a face to measure.")
    if any(view.is_undertrained(row) for row in view.rows):
        budget = f"the budget of {view.budget_images:,.0f}"
        said.append(f"† a stage has seen fewer pictures than {budget}; more training may still help it.")
    return said


def description(report: Mapping[str, Any]) -> str:
    """What the budget says of itself; empty where it says nothing."""
    return str((report.get("budget") or {}).get("description") or "")


def budget(report: Mapping[str, Any]) -> dict[str, str]:
    """The budget's other settings: name -> text."""
    given = {key: value for key, value in (report.get("budget") or {}).items() if key != "description"}
    return {("budget" if key == "name" else words(str(key))): plain(value) for key, value in given.items()}


def origin(report: Mapping[str, Any]) -> dict[str, Any]:
    """Where the numbers come from: tools, machine, and how each set was made."""
    return {**(report.get("origin") or {}), **({"sets": report["sets"]} if report.get("sets") else {})}


def stages(views: Sequence[SetView]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(method, stage, task, facts) of every trained stage; once, though a method is measured on many sets."""
    done: set[str] = set()
    for row in (row for view in views for row in view.rows):
        if row["method"] in done:
            continue
        done.add(row["method"])
        for stage in row.get("stages") or []:
            yield str(row["method"]), str(stage.get("method") or "–"), str(stage.get("task") or "–"), stage
