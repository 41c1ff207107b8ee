"""The report's plain data, read once for every writer: sets, columns, and what may be called the best.

Best is the best mean among the trained rows of a set. References (rows without stages) tell what a number is
worth and win nothing, unless there is nothing else; the oracle, which is told what no method can know, never
does. A method whose paired 95 % interval behind the best includes zero is "close": on these pictures it
cannot be told from the best, however the means are ordered. PSNR brings its interval along; for the other
measures it comes from the scores picture by picture, where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lumiface.comparison.html.formats import bounds, finite, fixed, short, words
from lumiface.evaluation.bootstrap import paired_interval

Row = Mapping[str, Any]
Face = Mapping[str, Any]
Standing = Literal["best", "close", ""]

ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Column:
    """One measured column; of a cost, none is called the best: what does nothing is always the cheapest."""

    key: str
    heading: str
    unit: str
    digits: int
    better: Literal["more", "less"]
    is_cost: bool = False
    size: float = 1.0

    def show(self, value: float | None) -> str:
        """In units of `size`; what would be rounded to zero keeps its digits."""
        if value is None:
            return fixed(None, 0)
        if value == 0 and self.is_cost:
            return "0"
        scaled = value / self.size
        too_small = 0.0 < abs(scaled) < 0.5 * 10.0**-self.digits
        return short(scaled) if too_small else fixed(scaled, self.digits)


PSNR = Column("psnr_y", "PSNR-Y", "dB", 2, "more")
QUALITY = (
    PSNR,
    Column("ssim_y", "SSIM-Y", "", 4, "more"),
    Column("lpips_squeeze", "LPIPS", "", 4, "less"),
    Column("landmark_px", "landmark", "px", 2, "less"),
)
COST = (
    Column("params", "params", "M", 2, "less", is_cost=True, size=1e6),
    Column("gflops", "GFLOPs", "", 1, "less", is_cost=True),
    Column("ms_per_face", "time", "ms", 1, "less", is_cost=True),
    Column("peak_mib", "memory", "MiB", 0, "less", is_cost=True),
)


def title_of(key: str) -> str:
    """What a column is called in the tables; a key that is no column's, in words."""
    return next((column.heading for column in (*QUALITY, *COST) if column.key == key), words(key))


@dataclass(frozen=True, slots=True)
class SetView:
    """One test set: its rows in the report's order, scores picture by picture, the faces of its figures."""

    name: str
    rows: list[Row]
    per_image: Mapping[str, Mapping[str, Any]]
    faces: Sequence[Face]
    standings: Mapping[tuple[str, str], Standing]
    budget_images: float | None

    def standing(self, row: Row, column: Column) -> Standing:
        return self.standings.get((row["method"], column.key), "")

    @property
    def best(self) -> Row | None:
        """The row with the best PSNR."""
        return next((row for row in self.rows if self.standing(row, PSNR) == "best"), None)

    @property
    def close(self) -> list[Row]:
        """The rows whose PSNR cannot be told from the best."""
        return [row for row in self.rows if self.standing(row, PSNR) == "close"]

    @property
    def above(self) -> list[Row]:
        """The references, but for the oracle, whose PSNR is higher than the best of the trained rows."""
        top = finite(self.best["psnr_y"]) if self.best is not None else None
        simple = [row for row in self.rows if not row.get("stages") and row["method"] != ORACLE]
        return [row for row in simple if top is not None and (finite(row.get("psnr_y")) or 0.0) > top]

    @property
    def trained(self) -> list[Row]:
        """The rows that were trained; all rows where none was."""
        return [row for row in self.rows if row.get("stages")] or self.rows

    def is_undertrained(self, row: Row) -> bool:
        """Whether a stage has seen fewer pictures than the budget gives; 0 are published weights."""
        seen = [finite(stage.get("trained_images")) or 0.0 for stage in row.get("stages") or []]
        return self.budget_images is not None and any(0.0 < images < self.budget_images for images in seen)

    @property
    def images(self) -> int | None:
        """How many pictures were measured; None where the rows do not agree."""
        counts = {row.get("images") for row in self.rows}
        return counts.pop() if len(counts) == 1 else None


def set_views(report: Mapping[str, Any], pictures: Mapping[str, Sequence[Face]]) -> list[SetView]:
    """One view a set, in the order in which the rows name them."""
    rows: Sequence[Row] = report.get("rows") or []
    names = list(dict.fromkeys(str(row["set"]) for row in rows))
    given = [(report.get("budget") or {}).get("images"), *(row.get("budget_images") for row in rows)]
    budget = max((images for value in given if (images := finite(value)) is not None), default=None)
    views: list[SetView] = []
    for name in names:
        own = [row for row in rows if row["set"] == name]
        per_image = (report.get("per_image") or {}).get(name) or {}
        standings = _standings(own, per_image)
        views.append(SetView(name, own, per_image, pictures.get(name) or [], standings, budget))
    return views


def to_best(row: Row) -> tuple[float | None, tuple[float, float] | None]:
    """The row's PSNR minus the best one, dB, and the paired 95 % interval of that."""
    behind, ends = finite(row.get("psnr_y_behind_best")), bounds(row.get("psnr_y_behind_best_ci"))
    return (None if behind is None else -behind), (None if ends is None else (-ends[1], -ends[0]))


def faceless(row: Row) -> int:
    """Pictures without a landmark error, because one of the two has no face for the detector."""
    return int(row.get("no_face_in_target") or 0) + int(row.get("no_face_in_output") or 0)


def lead(view: SetView) -> str:
    """The set's result in a sentence."""
    best = view.best
    if best is None:
        return "No PSNR was measured."
    text = f"{best['method']} leads in PSNR-Y with {fixed(finite(best['psnr_y']), 2)} dB"
    if view.close:
        text += f"; {_listed(view.close)} cannot be told apart from it on these pictures"
    if view.above:
        more = "a mere reference, has more" if len(view.above) == 1 else "mere references, have more"
        text += f". But {_listed(view.above)}, {more}"
    return text + "."


def _listed(rows: Sequence[Row]) -> str:
    """ "A, B and C"."""
    *others, last = (str(row["method"]) for row in rows)
    return f"{', '.join(others)} and {last}" if others else last


def _standings(rows: list[Row], per_image: Mapping[str, Any]) -> dict[tuple[str, str], Standing]:
    rivals = [row for row in rows if row.get("stages")] or [row for row in rows if row["method"] != ORACLE]
    found: dict[tuple[str, str], Standing] = {}
    for column in QUALITY:
        measured = [(value, row) for row in rivals if (value := finite(row.get(column.key))) is not None]
        if not measured:
            continue
        top = (max if column.better == "more" else min)(value for value, _ in measured)
        best = next(row["method"] for value, row in measured if value == top)
        for value, row in measured:
            if value == top:
                found[row["method"], column.key] = "best"
            elif column is PSNR:
                interval = bounds(row.get("psnr_y_behind_best_ci"))
                found[row["method"], column.key] = _close(interval)
            else:
                interval = paired_interval(per_image.get(row["method"]), per_image.get(best), column.key)
                found[row["method"], column.key] = _close(interval)
    return found


def _close(interval: tuple[float, float] | None) -> Standing:
    return "close" if interval is not None and interval[0] <= 0.0 <= interval[1] else ""
