"""The report as CSV: one line per method and set, scores unrounded, empty where nothing was measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from lumiface.comparison.html.formats import bounds, finite
from lumiface.comparison.html.views import COST, PSNR, QUALITY, Row, SetView

_COUNTS = ("images", "budget_images", "landmark_images", "no_face_in_target", "no_face_in_output")
_RANKED = ("psnr_y", "niqe")
_INTERVALS = tuple(f"{key}{end}" for key in _RANKED for end in ("_ci", "_behind_best_ci"))


def to_csv(views: Sequence[SetView]) -> str:
    """Columns: set, method, stages (their methods, joined by " > "), metrics, intervals as _low and _high,
    psnr_y_standing ("best", "close" or empty), and of all stages the sum of `minutes` and the minimum of
    `trained_images`.
    """
    lines = [_line(view, row) for view in views for row in view.rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=_header(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _header() -> list[str]:
    ends = [f"{name}_{end}" for name in _INTERVALS for end in ("low", "high")]
    metrics = [column.key for column in (*QUALITY, *COST)]
    last = ["minutes", "trained_images", *_COUNTS]
    behind = [f"{key}_behind_best" for key in _RANKED]
    return ["set", "method", "stages", *metrics, "psnr_y_standing", *behind, *ends, *last]


def _line(view: SetView, row: Row) -> dict[str, Any]:
    stages = row.get("stages") or []
    minutes = [value for stage in stages if (value := finite(stage.get("minutes"))) is not None]
    images = [stage["trained_images"] for stage in stages if finite(stage.get("trained_images")) is not None]
    line: dict[str, Any] = {
        "set": view.name,
        "method": row["method"],
        "stages": " > ".join(str(stage.get("method") or "") for stage in stages),
        "psnr_y_standing": view.rank(row, PSNR),
        "minutes": sum(minutes) if minutes else None,
        "trained_images": min(images, default=None),
    }
    for key in (
        *(column.key for column in (*QUALITY, *COST)),
        *(f"{key}_behind_best" for key in _RANKED),
        *_COUNTS,
    ):
        line[key] = row.get(key) if finite(row.get(key)) is not None else None
    for name in _INTERVALS:
        line[f"{name}_low"], line[f"{name}_high"] = bounds(row.get(name)) or (None, None)
    return line
