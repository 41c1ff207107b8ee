"""The report as GitHub Markdown: a table a set, the best of each column bold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lumiface.comparison.html import notes
from lumiface.comparison.html.formats import (
    ABSENT,
    bounds,
    finite,
    fixed,
    plain,
    short,
    signed,
    span,
)
from lumiface.comparison.html.published import Published, read_published
from lumiface.comparison.html.views import (
    COST,
    PSNR,
    QUALITY,
    Column,
    Row,
    SetView,
    faceless,
    lead,
    title_of,
    to_best,
)

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def to_markdown(report: Mapping[str, Any], views: Sequence[SetView]) -> str:
    """The whole report; see `write_report` for what `report` holds."""
    lines = [f"# {safe(report.get('title') or 'Comparison')}"]
    if budget := notes.budget(report):
        lines += ["", safe("; ".join(f"{key} {value}" for key, value in budget.items())) + "."]
    if description := notes.description(report):
        lines += ["", safe(description)]
    for view in views:
        count = f" ({view.images:,} pictures)" if view.images else ""
        lines += ["", f"## {safe(view.name)}{count}", "", safe(lead(view)), ""]
        lines += _scores(view)
        lines += ["", *(f"- {safe(note)}" for note in notes.of_scores(view))]
    published = read_published(report.get("published"))
    if published is not None:
        lines += ["", f"## {notes.PUBLISHED_HEADING}", "", safe(notes.PUBLISHED), ""]
        lines += _published(published, views)
    if trained := _trained(views):
        lines += ["", f"## {notes.TRAINED_HEADING}", "", *trained]
    lines += _definitions(notes.CONVENTIONS_HEADING, report.get("conventions"))
    lines += _definitions(notes.ORIGIN_HEADING, notes.origin(report))
    return "\n".join(lines) + "\n"


def safe(text: Any) -> str:
    """A text that Markdown takes as it is: no emphasis, no link, no HTML, no end of a cell or a line."""
    flat = " ".join(str(text).split())
    return _SPECIAL.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> list[str]:
    """A GitHub table; all columns but the first `left` are aligned to the right."""
    headings = list(headings)
    rules = ["---" if place < left else "---:" for place in range(len(headings))]
    return [f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows)]


def _scores(view: SetView) -> list[str]:
    costs = [column for column in COST if any(finite(row.get(column.key)) is not None for row in view.rows)]
    headings = ["method", "PSNR-Y dB ↑", "to the best, dB"]
    headings += [_heading(column) for column in QUALITY[1:]] + [_heading(column) for column in costs]
    return table(headings, [_score_row(view, row, costs) for row in view.rows])


def _heading(column: Column) -> str:
    arrow = "" if column.is_cost else ("↑" if column.better == "more" else "↓")
    return " ".join(part for part in (column.heading, column.unit, arrow) if part)


def _score_row(view: SetView, row: Row, costs: Sequence[Column]) -> list[str]:
    name = safe(row["method"]) + (" †" if view.is_undertrained(row) else "")
    psnr = f"{_quality(view, row, PSNR)} {span(bounds(row.get('psnr_y_ci')), 2)}".strip()
    rest = [_quality(view, row, column) for column in QUALITY[1:]]
    return [
        name,
        psnr,
        _gap(view, row),
        *rest,
        *(column.show(finite(row.get(column.key))) for column in costs),
    ]


def _quality(view: SetView, row: Row, column: Column) -> str:
    text = column.show(finite(row.get(column.key)))
    standing = view.standing(row, column)
    if standing == "best":
        text = f"**{text}**"
    elif standing == "close" and column is not PSNR:
        text = f"≈ {text}"
    if column.key == "landmark_px" and (missed := faceless(row)):
        text = f"{text} ({missed})"
    return text


def _gap(view: SetView, row: Row) -> str:
    standing = view.standing(row, PSNR)
    if standing == "best":
        return "best"
    difference, ends = to_best(row)
    text = ABSENT if difference is None else f"{signed(difference, 2)} {span(ends, 2, sign=True)}".strip()
    return f"≈ best ({text})" if standing == "close" else text


def _published(published: Published, views: Sequence[SetView]) -> list[str]:
    columns = [(view, column) for view in views for column in QUALITY[:3]]
    headings = [safe(name) for name in published.columns]
    headings += [f"ours: {safe(view.name)} {column.heading}" for view, column in columns]
    rows: list[list[str]] = []
    for name, cells in published.rows:
        ours = [column.show(published.ours(name, view, column)) for view, column in columns]
        rows.append([safe(name), *(safe(cell) for cell in cells), *ours])
    return table(headings, rows)


def _trained(views: Sequence[SetView]) -> list[str]:
    headings = (
        "method",
        "stage",
        "task",
        "settings",
        "machine",
        "params",
        "pictures seen",
        "minutes",
        "validation, dB",
    )
    rows: list[list[str]] = []
    for method, name, task, stage in notes.stages(views):
        seen = finite(stage.get("trained_images"))
        numbers = [short(finite(stage.get("params"))), ABSENT if seen is None else f"{seen:,.0f}"]
        numbers += [fixed(finite(stage.get("minutes")), 1), fixed(finite(stage.get("validation_psnr_y")), 2)]
        rows.append(
            [
                safe(method),
                safe(name),
                safe(task),
                safe(plain(stage.get("settings") or None)),
                safe(plain(stage.get("machine"))),
                *numbers,
            ]
        )
    return table(headings, rows, left=5) if rows else []


def _definitions(heading: str, facts: Mapping[str, Any] | None) -> list[str]:
    if not facts:
        return []
    return [
        "",
        f"## {heading}",
        "",
        *(f"- **{safe(title_of(key))}**: {safe(plain(value))}" for key, value in facts.items()),
    ]
