"""Forest plot: the difference of each method's PSNR from the best, with its paired 95 % interval."""

from __future__ import annotations

from lumiface.comparison.html.formats import ABSENT, finite, format_fixed, format_interval, format_signed
from lumiface.comparison.html.svg import (
    CHARACTER,
    Scale,
    chart,
    circle,
    line,
    linear_ticks,
    path,
    shortened,
    text,
    x_axis,
)
from lumiface.comparison.html.views import ORACLE, Row, SetView, delta_to_best
from lumiface.figures.markup import Markup, join

_ROW, _TOP, _BOTTOM, _WIDTH, _VALUES = 24.0, 8.0, 40.0, 1120.0, 180.0


def forest(view: SetView) -> Markup | None:
    """The best first; None where no difference is known.

    The axis spans the trained methods and the oracle. A method outside its range (bicubic is 10 dB below) is
    an arrow at the edge, with its value beside it.
    """
    main = view.main
    rows = [
        row for row in view.rows if delta_to_best(row, main)[0] is not None or view.rank(row, main) == "best"
    ]
    if not rows or view.best is None:
        return None
    sign = 1.0 if main.better == "lower" else -1.0
    rows.sort(key=lambda row: sign * _difference(view, row))
    left = 24 + CHARACTER * 1.1 * max(len(_name(row)) for row in rows)
    right = _WIDTH - _VALUES
    scale = Scale(*_range(view), left, right)
    bottom = _TOP + _ROW * len(rows)
    ticks = linear_ticks(scale.low, scale.high, 8)
    digits = 0 if all(tick == round(tick) for tick in ticks) else 1 if all(_tenths(t) for t in ticks) else 2
    axis = x_axis(scale, ticks, _TOP, bottom, [format_signed(tick, digits) for tick in ticks])
    zero = line(scale(0.0), _TOP, scale(0.0), bottom, "rule")
    name = text(
        (left + right) / 2,
        bottom + 31,
        f"{main.heading} minus the best{', ' + main.unit if main.unit else ''}",
        "axis-name",
        "middle",
    )
    marks = [_row(view, row, scale, _TOP + _ROW * (index + 0.5)) for index, row in enumerate(rows)]
    title = f"{main.heading} of each method minus that of {view.best['method']}, with 95 % intervals"
    return chart(_WIDTH, bottom + _BOTTOM, title, axis, zero, *marks, name, class_="chart forest")


def _row(view: SetView, row: Row, scale: Scale, y: float) -> Markup:
    main = view.main
    value, (_, ends), rank = _difference(view, row), delta_to_best(row, main), view.rank(row, main)
    kind = rank or "other"
    difference = f"{format_signed(value, 2)} {format_interval(ends, 2, sign=True)}".strip()
    label = "best" if rank == "best" else difference
    parts = [text(scale.start - 14, y, _name(row), f"name {kind}", "end")]
    parts.append(text(scale.end + 14, y, label, f"value {kind}"))
    tooltip = f"{row['method']}: {format_fixed(finite(row.get(main.key)), 2)} {main.unit}, {label or ABSENT}"
    if not scale.low <= value <= scale.high:
        parts.append(_arrow(scale, y, to_right=value > scale.high))
        return join(*parts)
    if ends is not None and rank != "best":
        low, high = (scale(min(max(end, scale.low), scale.high)) for end in ends)
        parts += [line(low, y, high, y, f"whisker {kind}"), line(low, y - 4, low, y + 4, f"whisker {kind}")]
        parts.append(line(high, y - 4, high, y + 4, f"whisker {kind}"))
    parts.append(circle(scale(value), y, 4.5, f"point {kind}", tooltip))
    return join(*parts)


def _arrow(scale: Scale, y: float, *, to_right: bool) -> Markup:
    tip, sign = (scale.end, 1.0) if to_right else (scale.start, -1.0)
    return path([(tip, y), (tip - 8 * sign, y - 4.5), (tip - 8 * sign, y + 4.5)], "arrow", closed=True)


def _name(row: Row) -> str:
    return shortened(str(row["method"]), 36)


def _difference(view: SetView, row: Row) -> float:
    return delta_to_best(row, view.main)[0] or 0.0


def _range(view: SetView) -> tuple[float, float]:
    """The range of the trained methods' intervals, zero and the oracle, with a margin."""
    ends = [0.0]
    for row in [*view.trained, *(row for row in view.rows if row["method"] == ORACLE)]:
        value, interval = delta_to_best(row, view.main)
        ends += [] if value is None else [value, *(interval or ())]
    low, high = min(ends), max(ends)
    margin = max(0.05 * (high - low), 0.05)
    return low - margin, high + margin


def _tenths(value: float) -> bool:
    return abs(value * 10 - round(value * 10)) < 1e-9
