"""Labels of the points of a scatter plot, which overlap neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lumiface.comparison.html.svg import CHARACTER

Box = tuple[float, float, float, float]

_HALF_LINE = 6.5
_POINT = 6.0
_STEPS = 12
_RADII = (9.0, 16.0, 26.0, 38.0, 54.0, 74.0, 98.0, 126.0)
_ANGLES = (0, 180, 90, 270, 35, 325, 145, 215, 60, 300, 120, 240)  # degrees, clockwise from the right


@dataclass(frozen=True, slots=True)
class Label:
    """Position of a label: the text's end or middle is at (x, y); `far` needs a line to its point."""

    x: float
    y: float
    anchor: Literal["start", "middle", "end"]
    box: Box
    far: bool


def place_labels(
    points: Sequence[tuple[float, float]], names: Sequence[str], frame: Box, obstacles: Sequence[Box] = ()
) -> list[Label | None]:
    """A position for each name, near its point; None where there is no room. Earlier names have priority.

    Args:
        points: x, y of each point, in pixels; y grows downwards.
        frame: left, top, right, bottom; labels stay inside.
        obstacles: further boxes to avoid.
    """
    occupied = [*obstacles, *((x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in points)]
    placed: list[Label | None] = []
    for (x, y), name in zip(points, names, strict=True):
        candidates = [
            _label_at(x, y, text_width(name), radius, angle) for radius in _RADII for angle in _ANGLES
        ]
        free = [label for label in candidates if _is_free(label.box, occupied, frame)]
        others = [box for box in occupied if not (box[0] <= x <= box[2] and box[1] <= y <= box[3])]
        clear = (label for label in free if not (label.far and _crosses((x, y), label, others)))
        label = next(clear, free[0] if free else None)
        placed.append(label)
        if label is not None:
            occupied.append(label.box)
    return placed


def text_width(name: str) -> float:
    """Approximate width of a name in the charts' font, pixels."""
    return CHARACTER * len(name) + 4


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _label_at(x: float, y: float, width: float, radius: float, angle: int) -> Label:
    along, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = x + radius * along, y + radius * down
    anchor: Literal["start", "middle", "end"] = (
        "middle" if abs(along) < 0.1 else "start" if along > 0 else "end"
    )
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return Label(x, y, anchor, (left, y - _HALF_LINE, left + width, y + _HALF_LINE), radius > _RADII[1])


def _crosses(point: tuple[float, float], label: Label, boxes: Sequence[Box]) -> bool:
    """Whether the line from the point to its label crosses another box."""
    for step in range(1, _STEPS):
        x = point[0] + (label.x - point[0]) * step / _STEPS
        y = point[1] + (label.y - point[1]) * step / _STEPS
        if any(overlap((x, y, x, y), box) for box in boxes):
            return True
    return False


def _is_free(box: Box, occupied: Sequence[Box], frame: Box) -> bool:
    inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
    return inside and not any(overlap(box, other) for other in occupied)
