"""The report's plain data, read once for all writers: sets, columns and ranks.

The best row of a set has the best mean of its trained rows. References (rows without stages) are not ranked,
unless there are no other rows; the oracle, which knows the true darkening, never is. A method whose paired
95 % interval to the best includes zero is "close": on these images it does not differ significantly from the
best. The interval of the main metric is part of the report; those of the other metrics are computed from the
scores per image, where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lumiface.comparison.html.formats import bounds, finite, format_fixed, format_short, humanize
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.bootstrap import Interval

Row = Mapping[str, Any]
Face = Mapping[str, Any]
Rank = Literal["best", "close", ""]

ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Column:
    """One measured column; costs have no best, for the cheapest method is the one that does nothing."""

    key: str
    heading: str
    unit: str
    digits: int
    better: Literal["higher", "lower"]
    is_cost: bool = False
    size: float = 1.0

    def is_better(self, value: float | None, other: float | None) -> bool:
        """Whether a score is better than another; False where either is missing."""
        if value is None or other is None:
            return False
        return value > other if self.better == "higher" else value < other

    def format(self, value: float | None) -> str:
        """In units of `size`; values that would be rounded to zero keep their digits."""
        if value is None:
            return format_fixed(None, 0)
        if value == 0 and self.is_cost:
            return "0"
        scaled = value / self.size
        too_small = 0.0 < abs(scaled) < 0.5 * 10.0**-self.digits
        return format_short(scaled) if too_small else format_fixed(scaled, self.digits)


PSNR = Column("psnr_y", "PSNR-Y", "dB", 2, "higher")
QUALITY = (
    PSNR,
    Column("ssim_y", "SSIM-Y", "", 4, "higher"),
    Column("lpips_squeeze", "LPIPS", "", 4, "lower"),
    Column("landmark_px", "landmark", "px", 2, "lower"),
    Column("identity_edgeface", "identity", "", 3, "higher"),
    Column("niqe", "NIQE", "", 3, "lower"),
    Column("brisque", "BRISQUE", "", 2, "lower"),
    Column("fd_squeezenet", "FD", "", 0, "lower"),
)
"""All metrics of the benchmarks' tables; a set's table has those that were measured."""

PLAIN = ("landmark_px",)
"""Metrics that are not set beside a paper's table: pixels of another size."""

COST = (
    Column("params", "params", "M", 2, "lower", is_cost=True, size=1e6),
    Column("gflops", "GFLOPs", "", 1, "lower", is_cost=True),
    Column("ms_per_face", "time", "ms", 1, "lower", is_cost=True),
    Column("peak_mib", "memory", "MiB", 0, "lower", is_cost=True),
)


def column_title(key: str) -> str:
    """A column's heading; for any other key, the key in words."""
    return next((column.heading for column in (*QUALITY, *COST) if column.key == key), humanize(key))


@dataclass(frozen=True, slots=True)
class SetView:
    """One test set: its rows in the report's order, their scores per image, the faces of its figures."""

    name: str
    rows: list[Row]
    per_image: Mapping[str, Mapping[str, Any]]
    faces: Sequence[Face]
    ranks: Mapping[tuple[str, str], Rank]
    budget_images: float | None

    def scores(self, method: str) -> ScoreAccumulator:
        """The method's scores per image, and `gamma`; empty where there are none."""
        return ScoreAccumulator.from_lists(self.per_image.get(method))

    def rank(self, row: Row, column: Column) -> Rank:
        return self.ranks.get((row["method"], column.key), "")

    @property
    def columns(self) -> list[Column]:
        """The metrics that were measured, in the order of tables; PSNR where none was."""
        return _measured(self.rows)

    @property
    def main(self) -> Column:
        """The metric by which the set is ranked: the first one, PSNR where there is a ground truth."""
        return self.columns[0]

    @property
    def best(self) -> Row | None:
        """The row with the best score of the main metric."""
        return next((row for row in self.rows if self.rank(row, self.main) == "best"), None)

    @property
    def close(self) -> list[Row]:
        """The rows whose main score does not differ significantly from the best."""
        return [row for row in self.rows if self.rank(row, self.main) == "close"]

    @property
    def better_references(self) -> list[Row]:
        """The references, except the oracle, whose main score is better than that of the best trained row."""
        top = None if self.best is None else finite(self.best[self.main.key])
        simple = [row for row in self.rows if not row.get("stages") and row["method"] != ORACLE]
        return [row for row in simple if self.main.is_better(finite(row.get(self.main.key)), top)]

    @property
    def trained(self) -> list[Row]:
        """The trained rows; all rows where none was trained."""
        return [row for row in self.rows if row.get("stages")] or self.rows

    def is_undertrained(self, row: Row) -> bool:
        """Whether a stage was trained on fewer images than the budget; 0 means published weights."""
        counts = [finite(stage.get("trained_images")) or 0.0 for stage in row.get("stages") or []]
        return self.budget_images is not None and any(0.0 < images < self.budget_images for images in counts)

    @property
    def images(self) -> int | None:
        """Number of images; None where it differs between the rows."""
        counts = {row.get("images") for row in self.rows}
        return counts.pop() if len(counts) == 1 else None


def set_views(report: Mapping[str, Any], pictures: Mapping[str, Sequence[Face]]) -> list[SetView]:
    """One view per set, in the order of the rows."""
    rows: Sequence[Row] = report.get("rows") or []
    names = list(dict.fromkeys(str(row["set"]) for row in rows))
    budgets = [(report.get("budget") or {}).get("images"), *(row.get("budget_images") for row in rows)]
    budget = max((images for value in budgets if (images := finite(value)) is not None), default=None)
    views: list[SetView] = []
    for name in names:
        set_rows = [row for row in rows if row["set"] == name]
        per_image = (report.get("per_image") or {}).get(name) or {}
        ranks = _rank_rows(set_rows, per_image)
        views.append(SetView(name, set_rows, per_image, pictures.get(name) or [], ranks, budget))
    return views


def delta_to_best(row: Row, main: Column = PSNR) -> tuple[float | None, Interval | None]:
    """The row's main score minus the best one, and the paired 95 % interval of that."""
    behind, ends = (finite(row.get(f"{main.key}_behind_best")), bounds(row.get(f"{main.key}_behind_best_ci")))
    return (None if behind is None else -behind), (None if ends is None else (-ends[1], -ends[0]))


def num_without_face(row: Row) -> int:
    """Images without a landmark error, because no face was detected in the target or in the output."""
    return int(row.get("no_face_in_target") or 0) + int(row.get("no_face_in_output") or 0)


def summary_sentence(view: SetView) -> str:
    """The set's result in a sentence."""
    best = view.best
    main = view.main
    if best is None:
        return f"No {main.heading.removesuffix('-Y')} was measured."
    score = f"{format_fixed(finite(best[main.key]), 2)} {main.unit}".strip()
    kind = "highest" if main.better == "higher" else "lowest"
    text = f"{best['method']} has the {kind} {main.heading}, {score}"
    if view.close:
        verb = "does" if len(view.close) == 1 else "do"
        text += f"; {_listed(view.close)} {verb} not differ significantly from it"
    if view.better_references:
        kind = "The reference" if len(view.better_references) == 1 else "The references"
        text += f". {kind} {_listed(view.better_references)} scored {main.better}"
    return text + "."


def _listed(rows: Sequence[Row]) -> str:
    """ "A, B and C"."""
    *others, last = (str(row["method"]) for row in rows)
    return f"{', '.join(others)} and {last}" if others else last


def _rank_rows(rows: list[Row], per_image: Mapping[str, Any]) -> dict[tuple[str, str], Rank]:
    candidates = [row for row in rows if row.get("stages")] or [
        row for row in rows if row["method"] != ORACLE
    ]
    ranks: dict[tuple[str, str], Rank] = {}
    main = _measured(rows)[0]
    for column in QUALITY:
        measured = [(value, row) for row in candidates if (value := finite(row.get(column.key))) is not None]
        if not measured:
            continue
        top = (max if column.better == "higher" else min)(value for value, _ in measured)
        best = next(row["method"] for value, row in measured if value == top)
        for value, row in measured:
            if value == top:
                ranks[row["method"], column.key] = "best"
            elif column is main:
                ranks[row["method"], column.key] = _close(bounds(row.get(f"{main.key}_behind_best_ci")))
            else:
                own, first = (
                    ScoreAccumulator.from_lists(per_image.get(name)) for name in (row["method"], best)
                )
                difference = own.difference(column.key, first)
                interval = None if difference is None else difference.interval
                ranks[row["method"], column.key] = _close(interval)
    return ranks


def _measured(rows: Sequence[Row]) -> list[Column]:
    found = [c for c in QUALITY if any(finite(row.get(c.key)) is not None for row in rows)]
    return found or [PSNR]


def _close(interval: Interval | None) -> Rank:
    return "close" if interval is not None and interval[0] <= 0.0 <= interval[1] else ""
