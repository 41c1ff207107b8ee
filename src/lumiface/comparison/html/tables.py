"""The page's tables: scores that can be sorted, the paper's own, the trainings, and lists of facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from lumiface.comparison.html.markup import Markup, join, tag
from lumiface.comparison.html.published import Published
from lumiface.comparison.html.views import (
    COST,
    PSNR,
    QUALITY,
    Column,
    Row,
    SetView,
    faceless,
    title_of,
    to_best,
)


def score_table(view: SetView) -> Markup:
    """The set's rows; a button in each heading sorts, and the best of each column is marked."""
    costs = [column for column in COST if any(finite(row.get(column.key)) is not None for row in view.rows)]
    headings = [_sorter("method", "", "text"), _heading(PSNR), _plain_heading("95 %", "interval of-mean")]
    headings += [_sorter("to the best", "dB", "descending"), _plain_heading("95 %, paired")]
    headings += [_heading(column) for column in (*QUALITY[1:], *costs)]
    rows = [_score_row(view, row, costs) for row in view.rows]
    caption = tag("caption", f"Scores on {view.name}", class_="unseen")
    return tag(
        "table", caption, tag("thead", tag("tr", *headings)), tag("tbody", *rows), class_="scores sortable"
    )


def published_table(published: Published, views: Sequence[SetView]) -> Markup:
    """The paper's columns first, then ours for every set, under headings that say which is which."""
    own = QUALITY[:3]
    others = len(published.columns) - 1
    above = [tag("th", published.columns[0], scope="col", rowspan=2)]
    above.append(tag("th", "published", scope="colgroup", colspan=max(1, others), class_="group"))
    above += [
        tag("th", f"here, {view.name}", scope="colgroup", colspan=len(own), class_="group") for view in views
    ]
    below = [tag("th", name, scope="col") for name in published.columns[1:]]
    below += [tag("th", column.heading, scope="col") for _ in views for column in own]
    rows: list[Markup] = []
    for name, cells in published.rows:
        theirs = [tag("td", cell, class_="first" if place == 0 else None) for place, cell in enumerate(cells)]
        ours = [
            tag(
                "td",
                column.show(published.ours(name, view, column)),
                class_="first" if column is own[0] else None,
            )
            for view in views
            for column in own
        ]
        known = None if published.has(name, views) else "absent"
        rows.append(tag("tr", tag("th", name, scope="row"), *theirs, *ours, class_=known))
    head = tag("thead", tag("tr", *above), tag("tr", *below))
    return tag("table", head, tag("tbody", *rows), class_="published")


def training_table(views: Sequence[SetView]) -> Markup | None:
    """A line for every trained stage of every method; None where nothing was trained."""
    rows: list[Markup] = []
    previous = ""
    for method, name, task, stage in notes.stages(views):
        seen = finite(stage.get("trained_images"))
        cells = [
            tag("th", method if method != previous else "", scope="row"),
            tag("td", name, class_="text"),
            tag("td", task, class_="text"),
            tag("td", short(finite(stage.get("params")))),
            tag("td", ABSENT if seen is None else f"{seen:,.0f}"),
            tag("td", fixed(finite(stage.get("minutes")), 1)),
            tag("td", plain(stage.get("machine")), class_="text"),
            tag("td", fixed(finite(stage.get("validation_psnr_y")), 2)),
            tag("td", plain(stage.get("settings") or None), class_="text settings"),
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
        "pictures seen",
        "minutes",
        "machine",
        "validation, dB",
        "settings",
    )
    texts = ("method", "stage", "task", "machine", "settings")
    headings = [tag("th", name, scope="col", class_="text" if name in texts else None) for name in names]
    return tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows), class_="training")


def facts(given: Mapping[str, Any] | None) -> Markup | None:
    """A list of names and what they stand for; mappings inside become lists of their own."""
    if not given:
        return None
    items: list[Markup] = []
    for key, value in given.items():
        said = facts(value) if isinstance(value, Mapping) and value else plain(value)
        items += [tag("dt", title_of(str(key))), tag("dd", said)]
    return tag("dl", *items)


def _heading(column: Column) -> Markup:
    return _sorter(column.heading, column.unit, "descending" if column.better == "more" else "ascending")


def _sorter(heading: str, unit: str, first: str) -> Markup:
    """A heading that sorts, at first the way that `first` says."""
    name = join(heading, tag("small", unit) if unit else None)
    return tag("th", tag("button", name, type="button"), scope="col", data_first=first)


def _plain_heading(heading: str, kind: str = "interval") -> Markup:
    return tag("th", heading, scope="col", class_=kind)


def _score_row(view: SetView, row: Row, costs: Sequence[Column]) -> Markup:
    name = [str(row["method"]), tag("abbr", " †", title="a stage saw fewer pictures than its budget")]
    cells = [tag("th", *name[: 2 if view.is_undertrained(row) else 1], scope="row")]
    cells += [
        _cell(view, row, PSNR),
        tag("td", span(bounds(row.get("psnr_y_ci")), 2), class_="interval of-mean"),
    ]
    cells += _gap(view, row)
    cells += [_cell(view, row, column) for column in (*QUALITY[1:], *costs)]
    kind = "reference" if not row.get("stages") else None
    return tag("tr", *cells, class_=kind)


def _cell(view: SetView, row: Row, column: Column) -> Markup:
    value = finite(row.get(column.key))
    standing = view.standing(row, column)
    text = column.show(value)
    content = tag("strong", text) if standing == "best" else text
    if standing == "close" and column is not PSNR:
        content = join(tag("abbr", "≈", title="cannot be told from the best"), " ", text)
    if column.key == "landmark_px" and (missed := faceless(row)):
        content = join(content, tag("small", f" ({missed})"))
    return tag("td", content, data_value=value, class_=standing or None)


def _gap(view: SetView, row: Row) -> list[Markup]:
    standing = view.standing(row, PSNR)
    difference, ends = to_best(row)
    if standing == "best":
        return [
            tag("td", tag("strong", "best"), data_value=0, class_="best"),
            tag("td", "", class_="interval"),
        ]
    text = signed(difference, 2)
    content = join(tag("span", "≈ best", class_="mark"), " ", text) if standing == "close" else text
    between = tag("td", span(ends, 2, sign=True), class_="interval")
    return [tag("td", content, data_value=difference, class_=standing or None), between]
