"""What every chart needs: scales, ticks, axes and text, as inline SVG.

Colours and type are classes of the page's style sheet, so that a chart follows the page into the dark, onto
paper and into the reader's own fonts; a drawing library's finished picture could not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lumiface.comparison.html.markup import Child, Markup, join, tag

CHARACTER = 6.7
"""Mean width of a character of the charts' type at 12 pixels; a little more than most fonts have."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`, evenly or by their logarithm."""

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


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within [low, high], low < high, about `most` at most: steps of 1, 2 or 5 · 10^k."""
    raw = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """1, 2, 5 · 10^k within [low, high], 0 < low < high; powers of ten alone where that would be too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


def padded(values: Iterable[float], share: float = 0.06, least: float = 0.5) -> tuple[float, float]:
    """The values' range with some air; never narrower than `least`."""
    values = list(values)
    low, high = min(values), max(values)
    air = max((high - low) * share, (least - (high - low)) / 2)
    return low - air, high + air


def chart(width: float, height: float, title: str, *children: Child, class_: str = "chart") -> Markup:
    """An SVG of its own, as wide as its place allows, with a name for those who cannot see it."""
    box = f"0 0 {width:g} {height:g}"
    return tag(
        "svg", *children, viewBox=box, width=width, height=height, role="img", aria_label=title, class_=class_
    )


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> Markup:
    """Text whose middle lies at height `y`."""
    return tag("text", content, x=x, y=y, dy="0.35em", text_anchor=anchor, class_=class_ or None)


def shortened(name: str, most: int) -> str:
    """A name that fits its place; its end is cut where it would not."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def circle(x: float, y: float, radius: float, class_: str, title: str) -> Markup:
    """A point that says what it is when it is pointed at."""
    return tag("circle", tag("title", title), cx=x, cy=y, r=radius, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str | None = None, *, closed: bool = False) -> Markup:
    """Straight lines through the points."""
    steps = " ".join(f"{'L' if place else 'M'}{x:.1f} {y:.1f}" for place, (x, y) in enumerate(points))
    return tag("path", d=steps + ("Z" if closed else ""), class_=class_)


def x_axis(scale: Scale, ticks: Sequence[float], top: float, bottom: float, labels: Sequence[str]) -> Markup:
    """Upright grid lines from `top` to `bottom`, with a label below each."""
    parts: list[Markup] = []
    for tick, label in zip(ticks, labels, strict=True):
        x = scale(tick)
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 13, label, "tick", "middle")]
    return join(*parts)


def y_axis(scale: Scale, ticks: Sequence[float], left: float, right: float, labels: Sequence[str]) -> Markup:
    """Level grid lines from `left` to `right`, with a label before each."""
    parts: list[Markup] = []
    for tick, label in zip(ticks, labels, strict=True):
        y = scale(tick)
        parts += [line(left, y, right, y, "grid"), text(left - 7, y, label, "tick", "end")]
    return join(*parts)
