"""The report as GitHub Markdown: one table per set, the best of each column bold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lumiface.comparison.html import notes
from lumiface.comparison.html.formats import (
    ABSENT,
    bounds,
    finite,
    format_fixed,
    format_interval,
    format_short,
    format_signed,
    format_value,
)
from lumiface.comparison.html.published import Published, read_published
from lumiface.comparison.html.views import (
    COST,
    PLAIN,
    Column,
    Row,
    SetView,
    column_title,
    delta_to_best,
    num_without_face,
    summary_sentence,
)

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def to_markdown(report: Mapping[str, Any], views: Sequence[SetView]) -> str:
    """The whole report; `write_report` documents `report`."""
    lines = [f"# {safe(report.get('title') or 'Comparison')}"]
    if budget := notes.budget_settings(report):
        lines += ["", safe("; ".join(f"{key} {value}" for key, value in budget.items())) + "."]
    if description := notes.budget_description(report):
        lines += ["", safe(description)]
    for view in views:
        count = f" ({view.images:,} pictures)" if view.images else ""
        lines += ["", f"## {safe(view.name)}{count}", "", safe(summary_sentence(view)), ""]
        lines += _scores(view)
        lines += ["", *(f"- {safe(note)}" for note in notes.score_notes(view))]
    published = read_published(report.get("published"))
    if published is not None:
        lines += ["", f"## {notes.PUBLISHED_HEADING}", "", safe(notes.PUBLISHED), ""]
        lines += _published(published, views)
    if impossible := report.get("impossible"):
        lines += _definitions(notes.IMPOSSIBLE_HEADING, impossible)
    if trained := _trained(views):
        lines += ["", f"## {notes.TRAINED_HEADING}", "", *trained]
    lines += _definitions(notes.CONVENTIONS_HEADING, report.get("conventions"))
    lines += _definitions(notes.PROVENANCE_HEADING, notes.provenance(report))
    return "\n".join(lines) + "\n"


def safe(text: Any) -> str:
    """Escaped text: no emphasis, link or HTML, and no end of a table cell or line."""
    flat = " ".join(str(text).split())
    return _SPECIAL.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> list[str]:
    """A GitHub table; all columns except the first `left` are right-aligned."""
    headings = list(headings)
    rules = ["---" if index < left else "---:" for index in range(len(headings))]
    return [f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows)]


def _scores(view: SetView) -> list[str]:
    costs = [column for column in COST if any(finite(row.get(column.key)) is not None for row in view.rows)]
    main, *others = view.columns
    headings = ["method", _heading(main), ", ".join(part for part in ("Δ to best", main.unit) if part)]
    headings += [_heading(column) for column in others] + [_heading(column) for column in costs]
    return table(headings, [_score_row(view, row, costs) for row in view.rows])


def _heading(column: Column) -> str:
    arrow = "" if column.is_cost else ("↑" if column.better == "higher" else "↓")
    return " ".join(part for part in (column.heading, column.unit, arrow) if part)


def _score_row(view: SetView, row: Row, costs: Sequence[Column]) -> list[str]:
    name = safe(row["method"]) + (" †" if view.is_undertrained(row) else "")
    main, *others = view.columns
    score = f"{_quality(view, row, main)} {format_interval(bounds(row.get(f'{main.key}_ci')), 2)}".strip()
    rest = [_quality(view, row, column) for column in others]
    return [
        name,
        score,
        _delta(view, row),
        *rest,
        *(column.format(finite(row.get(column.key))) for column in costs),
    ]


def _quality(view: SetView, row: Row, column: Column) -> str:
    text = column.format(finite(row.get(column.key)))
    rank = view.rank(row, column)
    if rank == "best":
        text = f"**{text}**"
    elif rank == "close" and column is not view.main:
        text = f"≈ {text}"
    if column.key == "landmark_px" and (missing := num_without_face(row)):
        text = f"{text} ({missing})"
    return text


def _delta(view: SetView, row: Row) -> str:
    rank = view.rank(row, view.main)
    if rank == "best":
        return "best"
    difference, ends = delta_to_best(row, view.main)
    text = f"{format_signed(difference, 2)} {format_interval(ends, 2, sign=True)}".strip()
    return f"≈ best ({text})" if rank == "close" else text


def _published(published: Published, views: Sequence[SetView]) -> list[str]:
    columns = [(view, column) for view in views for column in view.columns if column.key not in PLAIN]
    headings = [safe(name) for name in published.columns]
    headings += [f"here: {safe(view.name)} {column.heading}" for view, column in columns]
    rows: list[list[str]] = []
    for name, cells in published.rows:
        measured = [column.format(published.measured(name, view, column)) for view, column in columns]
        rows.append([safe(name), *(safe(cell) for cell in cells), *measured])
    return table(headings, rows)


def _trained(views: Sequence[SetView]) -> list[str]:
    headings = (
        "method",
        "stage",
        "task",
        "settings",
        "machine",
        "params",
        "training images",
        "minutes",
        "validation, dB",
    )
    rows: list[list[str]] = []
    for method, name, task, stage in notes.trained_stages(views):
        images = finite(stage.get("trained_images"))
        numbers = [format_short(finite(stage.get("params"))), ABSENT if images is None else f"{images:,.0f}"]
        numbers += [
            format_fixed(finite(stage.get("minutes")), 1),
            format_fixed(finite(stage.get("validation_psnr_y")), 2),
        ]
        rows.append(
            [
                safe(method),
                safe(name),
                safe(task),
                safe(format_value(stage.get("settings") or None)),
                safe(format_value(stage.get("machine"))),
                *numbers,
            ]
        )
    return table(headings, rows, left=5) if rows else []


def _definitions(heading: str, entries: Mapping[str, Any] | None) -> list[str]:
    if not entries:
        return []
    return [
        "",
        f"## {heading}",
        "",
        *(f"- **{safe(column_title(key))}**: {safe(format_value(value))}" for key, value in entries.items()),
    ]
