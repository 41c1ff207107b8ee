"""A detected face: box, score and landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Face:
    """One face. Coordinates are pixel-edge coordinates of the picture: the upper left pixel covers
    [0, 1) × [0, 1), its centre is (0.5, 0.5), and the whole picture is the box (0, 0, W, H). Boxes and
    points may lie partly outside the picture.

    Attributes:
        box: x1, y1, x2, y2.
        score: the detector's probability that this is a face, in [0, 1].
        landmarks: five (x, y): left eye, right eye, nose, left and right mouth corner; left and right as seen
            in the picture when the face is upright, not of the person. In a face that lies on its side they
            lie where the features are.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @property
    def area(self) -> float:
        """Area of the box in square pixels; 0 for an inverted box."""
        x1, y1, x2, y2 = self.box
        return max(0.0, x2 - x1) * max(0.0, y2 - y1)

    @property
    def side(self) -> float:
        """Side in pixels of the square of the box's area."""
        return math.sqrt(self.area)

    def scaled(self, x: float, y: float) -> Face:
        """The same face after scaling the picture by `x` in width and `y` in height."""
        x1, y1, x2, y2 = self.box
        landmarks = tuple((px * x, py * y) for px, py in self.landmarks)
        return Face((x1 * x, y1 * y, x2 * x, y2 * y), self.score, landmarks)


def drop_duplicates(faces: list[Face]) -> list[Face]:
    """One entry per face, best score first.

    Two boxes are the same face if their intersection is more than half of their union, or more than 70 % of
    the smaller one. Of two of similar size the one with the better score is kept. If one is less than a third
    of the other's area (an eye or a mouth detected as a face inside a face), the larger is kept, whatever the
    scores.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.score, -face.area, face.box)):
        overlapping = [other for other in kept if is_same(face, other)]
        if not overlapping:
            kept.append(face)
        elif all(other.area < face.area / 3.0 for other in overlapping):
            kept = [other for other in kept if other not in overlapping] + [face]
    return sorted(kept, key=lambda face: (-face.score, -face.area, face.box))


def is_same(one: Face, other: Face) -> bool:
    """Whether two boxes are the same face, by the overlap described in `drop_duplicates`."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared > 0.5 * (one.area + other.area - shared) or shared > 0.7 * min(one.area, other.area)
