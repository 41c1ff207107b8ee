"""The paper's table beside the measured scores; methods are matched by name, ignoring spaces and case."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumiface.comparison.html.formats import finite, format_fixed, format_value
from lumiface.comparison.html.views import Column, SetView


@dataclass(frozen=True, slots=True)
class Published:
    """Headings, the first of the method column; and for each row the method and the other cells, as text."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]

    def measured(self, name: str, view: SetView, column: Column) -> float | None:
        """The measured score of the method of that name on a set; None where there is none."""
        row = next((row for row in view.rows if _key(row["method"]) == _key(name)), None)
        return None if row is None else finite(row.get(column.key))

    def has(self, name: str, views: Sequence[SetView]) -> bool:
        """Whether the report has measured scores of that method."""
        return any(_key(row["method"]) == _key(name) for view in views for row in view.rows)


def read_published(table: Mapping[str, Any] | None) -> Published | None:
    """The table as `columns` and `rows`; a row is a list in the columns' order, or a mapping by column."""
    if not table or not table.get("rows"):
        return None
    columns = [str(name) for name in table["columns"]]
    rows: list[list[Any]] = []
    for row in table["rows"]:
        cells = [row.get(name) for name in columns] if isinstance(row, Mapping) else list(row)
        rows.append([*cells, *[None] * len(columns)][: len(columns)])
    texts = zip(*(_texts(column) for column in zip(*rows, strict=True)), strict=True)
    return Published(columns, [(name, list(cells)) for name, *cells in texts])


def _texts(column: Sequence[Any]) -> list[str]:
    """One column's cells; all numbers with as many decimals as the longest."""
    decimals = [len(repr(cell).partition(".")[2]) for cell in column if isinstance(cell, float)]
    digits = max(decimals, default=0)
    return [format_fixed(cell, digits) if isinstance(cell, float) else format_value(cell) for cell in column]


def _key(name: str) -> str:
    """ "DLN + EDSR" and "dln+edsr" -> "dln+edsr": the order of the stages stays."""
    return re.sub(r"[^a-z0-9+]", "", name.lower())
