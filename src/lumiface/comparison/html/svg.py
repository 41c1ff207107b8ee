"""Scales, ticks, axes and text of the charts, as inline SVG.

Colours and fonts are classes of the page's style sheet, so that charts follow dark mode, print and the
reader's fonts, which an image from a plotting library would not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lumiface.figures.markup import Child, Markup, join, tag

CHARACTER = 6.7
"""Mean width of a character at 12 pixels; slightly more than in most fonts."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` to pixels from `start` to `end`, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._map(self.low), self._map(self.high)
        return self.start + (self.end - self.start) * (self._map(value) - low) / (high - low)

    def _map(self, value: float) -> float:
        return math.log10(value) if self.log else value


def linear_ticks(low: float, high: float, limit: int = 6) -> list[float]:
    """Round numbers within [low, high], low < high, at most about `limit`: steps of 1, 2 or 5 · 10^k."""
    raw = (high - low) / max(1, limit)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, limit: int = 7) -> list[float]:
    """1, 2, 5 · 10^k within [low, high], 0 < low < high; only powers of ten if these exceed `limit`."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= limit:
            return ticks
    return ticks[:: -(-len(ticks) // limit)]


def padded(values: Iterable[float], margin: float = 0.06, min_width: float = 0.5) -> tuple[float, float]:
    """The values' range, widened at each end by the fraction `margin`; never narrower than `min_width`."""
    values = list(values)
    low, high = min(values), max(values)
    padding = max((high - low) * margin, (min_width - (high - low)) / 2)
    return low - padding, high + padding


def chart(width: float, height: float, title: str, *children: Child, class_: str = "chart") -> Markup:
    """An SVG that scales with its container, with a title for screen readers."""
    box = f"0 0 {width:g} {height:g}"
    return tag(
        "svg", *children, viewBox=box, width=width, height=height, role="img", aria_label=title, class_=class_
    )


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> Markup:
    """Text that is vertically centred at `y`."""
    return tag("text", content, x=x, y=y, dy="0.35em", text_anchor=anchor, class_=class_ or None)


def shortened(name: str, limit: int) -> str:
    """A name of at most `limit` characters; a longer one is cut."""
    return name if len(name) <= limit else name[: limit - 1].rstrip() + "…"


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def circle(x: float, y: float, radius: float, class_: str, title: str) -> Markup:
    """A point with a tooltip."""
    return tag("circle", tag("title", title), cx=x, cy=y, r=radius, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str | None = None, *, closed: bool = False) -> Markup:
    """Straight lines through the points."""
    steps = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    return tag("path", d=steps + ("Z" if closed else ""), class_=class_)


def x_axis(scale: Scale, ticks: Sequence[float], top: float, bottom: float, labels: Sequence[str]) -> Markup:
    """Vertical grid lines from `top` to `bottom`, with a label below each."""
    parts: list[Markup] = []
    for tick, label in zip(ticks, labels, strict=True):
        x = scale(tick)
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 13, label, "tick", "middle")]
    return join(*parts)


def y_axis(scale: Scale, ticks: Sequence[float], left: float, right: float, labels: Sequence[str]) -> Markup:
    """Horizontal grid lines from `left` to `right`, with a label before each."""
    parts: list[Markup] = []
    for tick, label in zip(ticks, labels, strict=True):
        y = scale(tick)
        parts += [line(left, y, right, y, "grid"), text(left - 7, y, label, "tick", "end")]
    return join(*parts)
