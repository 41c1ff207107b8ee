"""The page's tables: sortable scores, published scores, training of each method, and definition lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from lumiface.comparison.html.published import Published
from lumiface.comparison.html.views import (
    COST,
    PLAIN,
    Column,
    Row,
    SetView,
    column_title,
    delta_to_best,
    num_without_face,
)
from lumiface.figures.markup import Markup, join, tag


def score_table(view: SetView) -> Markup:
    """The set's rows; a button in each heading sorts by it, and the best of each column is marked."""
    costs = [column for column in COST if any(finite(row.get(column.key)) is not None for row in view.rows)]
    main, *others = view.columns
    headings = [_sorter("method", "", "text"), _heading(main), _plain_heading("95 %", "interval of-mean")]
    first = "descending" if main.better == "higher" else "ascending"
    headings += [_sorter("Δ to best", main.unit, first), _plain_heading("95 %, paired")]
    headings += [_heading(column) for column in (*others, *costs)]
    rows = [_score_row(view, row, costs) for row in view.rows]
    caption = tag("caption", f"Scores on {view.name}", class_="visually-hidden")
    return tag(
        "table", caption, tag("thead", tag("tr", *headings)), tag("tbody", *rows), class_="scores sortable"
    )


def published_table(published: Published, views: Sequence[SetView]) -> Markup:
    """The published columns first, then the measured ones of every set, under common headings."""
    compared = [(view, [column for column in view.columns if column.key not in PLAIN]) for view in views]
    others = len(published.columns) - 1
    above = [tag("th", published.columns[0], scope="col", rowspan=2)]
    above.append(tag("th", "published", scope="colgroup", colspan=max(1, others), class_="group"))
    above += [
        tag("th", f"here, {view.name}", scope="colgroup", colspan=len(columns), class_="group")
        for view, columns in compared
    ]
    below = [tag("th", name, scope="col") for name in published.columns[1:]]
    below += [tag("th", column.heading, scope="col") for _, columns in compared for column in columns]
    rows: list[Markup] = []
    for name, cells in published.rows:
        printed = [
            tag("td", cell, class_="first" if index == 0 else None) for index, cell in enumerate(cells)
        ]
        measured = [
            tag(
                "td",
                column.format(published.measured(name, view, column)),
                class_="first" if column is columns[0] else None,
            )
            for view, columns in compared
            for column in columns
        ]
        kind = None if published.has(name, views) else "absent"
        rows.append(tag("tr", tag("th", name, scope="row"), *printed, *measured, class_=kind))
    head = tag("thead", tag("tr", *above), tag("tr", *below))
    return tag("table", head, tag("tbody", *rows), class_="published")


def training_table(views: Sequence[SetView]) -> Markup | None:
    """One row per trained stage of every method; None where nothing was trained."""
    rows: list[Markup] = []
    previous = ""
    for method, name, task, stage in notes.trained_stages(views):
        images = finite(stage.get("trained_images"))
        cells = [
            tag("th", method if method != previous else "", scope="row"),
            tag("td", name, class_="text"),
            tag("td", task, class_="text"),
            tag("td", format_short(finite(stage.get("params")))),
            tag("td", ABSENT if images is None else f"{images:,.0f}"),
            tag("td", format_fixed(finite(stage.get("minutes")), 1)),
            tag("td", format_value(stage.get("machine")), class_="text"),
            tag("td", format_fixed(finite(stage.get("validation_psnr_y")), 2)),
            tag("td", format_value(stage.get("settings") or None), class_="text settings"),
        ]
        rows.append(tag("tr", *cells))
        previous = method
    if not rows:
        return None
    names = (
        "method",
        "stage",
        "task",
        "params",
        "training images",
        "minutes",
        "machine",
        "validation, dB",
        "settings",
    )
    texts = ("method", "stage", "task", "machine", "settings")
    headings = [tag("th", name, scope="col", class_="text" if name in texts else None) for name in names]
    return tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows), class_="training")


def definition_list(entries: Mapping[str, Any] | None) -> Markup | None:
    """Names and values; nested mappings become nested lists."""
    if not entries:
        return None
    items: list[Markup] = []
    for key, value in entries.items():
        text = definition_list(value) if isinstance(value, Mapping) and value else format_value(value)
        items += [tag("dt", column_title(str(key))), tag("dd", text)]
    return tag("dl", *items)


def _heading(column: Column) -> Markup:
    return _sorter(column.heading, column.unit, "descending" if column.better == "higher" else "ascending")


def _sorter(heading: str, unit: str, first: str) -> Markup:
    """A heading that sorts; `first`: the direction of the first click."""
    name = join(heading, tag("small", unit) if unit else None)
    return tag("th", tag("button", name, type="button"), scope="col", data_first=first)


def _plain_heading(heading: str, kind: str = "interval") -> Markup:
    return tag("th", heading, scope="col", class_=kind)


def _score_row(view: SetView, row: Row, costs: Sequence[Column]) -> Markup:
    name = [
        str(row["method"]),
        tag("abbr", " †", title="a stage was trained on fewer images than the budget"),
    ]
    cells = [tag("th", *name[: 2 if view.is_undertrained(row) else 1], scope="row")]
    cells += [
        _cell(view, row, view.main),
        tag("td", format_interval(bounds(row.get(f"{view.main.key}_ci")), 2), class_="interval of-mean"),
    ]
    cells += _delta_cells(view, row)
    cells += [_cell(view, row, column) for column in (*view.columns[1:], *costs)]
    kind = "reference" if not row.get("stages") else None
    return tag("tr", *cells, class_=kind)


def _cell(view: SetView, row: Row, column: Column) -> Markup:
    value = finite(row.get(column.key))
    rank = view.rank(row, column)
    text = column.format(value)
    content = tag("strong", text) if rank == "best" else text
    if rank == "close" and column is not view.main:
        content = join(tag("abbr", "≈", title="not significantly different from the best"), " ", text)
    if column.key == "landmark_px" and (missing := num_without_face(row)):
        content = join(content, tag("small", f" ({missing})"))
    return tag("td", content, data_value=value, class_=rank or None)


def _delta_cells(view: SetView, row: Row) -> list[Markup]:
    rank = view.rank(row, view.main)
    difference, ends = delta_to_best(row, view.main)
    if rank == "best":
        return [
            tag("td", tag("strong", "best"), data_value=0, class_="best"),
            tag("td", "", class_="interval"),
        ]
    text = format_signed(difference, 2)
    content = join(tag("span", "≈ best", class_="mark"), " ", text) if rank == "close" else text
    interval = tag("td", format_interval(ends, 2, sign=True), class_="interval")
    return [tag("td", content, data_value=difference, class_=rank or None), interval]
