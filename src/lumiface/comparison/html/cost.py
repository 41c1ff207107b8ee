"""Quality against cost: PSNR over parameters, operations, time and memory, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lumiface.comparison.html.formats import finite, format_fixed, format_short
from lumiface.comparison.html.labels import Box, place_labels, text_width
from lumiface.comparison.html.svg import (
    Scale,
    chart,
    circle,
    line,
    linear_ticks,
    log_ticks,
    padded,
    path,
    shortened,
    text,
    x_axis,
    y_axis,
)
from lumiface.comparison.html.views import COST, ORACLE, PSNR, Column, Row, SetView
from lumiface.figures.markup import Markup, join

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 570.0, 370.0, 44.0, 12.0, 14.0, 42.0
_NAMES = {
    "params": "parameters",
    "gflops": "GFLOPs per face",
    "ms_per_face": "milliseconds per face",
    "peak_mib": "peak memory, MiB",
}

Point = tuple[float, float, Row]


def cost_charts(view: SetView) -> tuple[list[Markup], list[str]]:
    """A chart for each cost that was measured, and the names of points that have no label in some of them.

    Only trained methods are plotted: bicubic and similar references, which cost almost nothing and score many
    decibels less, would compress the others into a line. The oracle is a dashed line if it is in their range.
    """
    charts: list[Markup] = []
    unlabelled: list[str] = []
    for column in COST:
        points = [
            (cost, psnr, row)
            for row in view.trained
            if (psnr := finite(row.get("psnr_y"))) is not None
            and (cost := finite(row.get(column.key))) is not None
            and cost > 0
        ]
        if points:
            svg, missing = _chart(view, column, points)
            charts.append(svg)
            unlabelled += missing
    return charts, list(dict.fromkeys(unlabelled))


def pareto(points: Sequence[Point]) -> list[Point]:
    """The Pareto front, cheapest first: no other point is at most as expensive and at least as good."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front


def _chart(view: SetView, column: Column, points: list[Point]) -> tuple[Markup, list[str]]:
    costs = [cost for cost, _, _ in points]
    x = Scale(min(costs) / 1.4, max(costs) * 1.4, _LEFT, _WIDTH - _RIGHT, log=True)
    y = Scale(*padded((psnr for _, psnr, _ in points), 0.1, 0.5), _HEIGHT - _BOTTOM, _TOP)
    x_ticks, y_ticks = log_ticks(x.low, x.high), linear_ticks(y.low, y.high, 6)
    frame = (_LEFT, _TOP, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM)
    oracle = _oracle(view, y, frame)
    steps = _front(pareto(points), x, y)
    obstacles = [
        (min(x1, x2), min(y1, y2) - 1, max(x1, x2), max(y1, y2) + 1) for (x1, y1), (x2, y2) in pairwise(steps)
    ]
    parts: list[Markup | None] = [
        y_axis(y, y_ticks, frame[0], frame[2], [f"{tick:g}" for tick in y_ticks]),
        x_axis(x, x_ticks, frame[1], frame[3], [format_short(tick) for tick in x_ticks]),
        None if oracle is None else oracle[0],
        path(steps, "front-line"),
        text(frame[2], _HEIGHT - 8, f"{_NAMES[column.key]} →", "axis-name", "end"),
        text(_LEFT, _HEIGHT - 8, "↑ PSNR-Y, dB", "axis-name"),
    ]
    front = {id(row) for _, _, row in pareto(points)}
    points = sorted(points, key=lambda point: -point[1])
    positions = [(x(cost), y(psnr)) for cost, psnr, _ in points]
    names = [shortened(str(row["method"]), 30) for _, _, row in points]
    unlabelled: list[str] = []
    labels = place_labels(positions, names, frame, obstacles + ([] if oracle is None else [oracle[1]]))
    for label, position, name, (cost, psnr, row) in zip(labels, positions, names, points, strict=True):
        kind = "best" if view.rank(row, PSNR) == "best" else "front" if id(row) in front else "other"
        if label is None:
            unlabelled.append(name)
        else:
            if label.far:
                parts.append(line(*position, label.x, label.y, "leader"))
            parts.append(text(label.x, label.y, name, f"name {kind}", label.anchor))
        tooltip = f"{name}: {format_fixed(psnr, 2)} dB, {format_short(cost)} {_NAMES[column.key]}"
        parts.append(circle(*position, 4.5, f"point {kind}", tooltip))
    title = f"PSNR-Y over {_NAMES[column.key]}, one point per method"
    return chart(_WIDTH, _HEIGHT, title, *parts), unlabelled


def _front(front: list[Point], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """The stepped line of the best PSNR at each cost."""
    steps: list[tuple[float, float]] = []
    for cost, psnr, _ in front:
        if steps:
            steps.append((x(cost), steps[-1][1]))
        steps.append((x(cost), y(psnr)))
    return [*steps, (x.end, steps[-1][1])]


def _oracle(view: SetView, y: Scale, frame: Box) -> tuple[Markup, Box] | None:
    """The line at the oracle's PSNR, and the box of its label."""
    psnr = next((finite(row.get("psnr_y")) for row in view.rows if row["method"] == ORACLE), None)
    if psnr is None or not y.low <= psnr <= y.high:
        return None
    level = y(psnr)
    svg = join(
        line(frame[0], level, frame[2], level, "oracle"),
        text(frame[2] - 4, level - 9, ORACLE, "tick", "end"),
    )
    return svg, (frame[2] - 4 - text_width(ORACLE), level - 16, frame[2], level + 2)
