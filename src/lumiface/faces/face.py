"""What is known of one face in a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Face:
    """One face. Coordinates are pixel-edge coordinates of the picture: the left upper pixel covers
    [0, 1) × [0, 1), its centre is (0.5, 0.5), and the whole picture is the box (0, 0, W, H). Boxes and
    points may lie partly outside the picture.

    Attributes:
        box: x1, y1, x2, y2.
        score: the detector's probability that this is a face, in [0, 1].
        landmarks: five (x, y): left eye, right eye, nose, left and right mouth corner, left and right as
            seen in the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @property
    def area(self) -> float:
        """Square pixels of the box; 0 for a box turned inside out."""
        x1, y1, x2, y2 = self.box
        return max(0.0, x2 - x1) * max(0.0, y2 - y1)

    @property
    def side(self) -> float:
        """Side in pixels of the square that is as large as the box."""
        return math.sqrt(self.area)

    def scaled(self, x: float, y: float) -> Face:
        """The same face in a picture that is `x` times as wide and `y` times as high."""
        x1, y1, x2, y2 = self.box
        landmarks = tuple((px * x, py * y) for px, py in self.landmarks)
        return Face((x1 * x, y1 * y, x2 * x, y2 * y), self.score, landmarks)


def without_duplicates(faces: list[Face]) -> list[Face]:
    """One entry per face, best score first.

    Two boxes are the same face when they share half of their union, or when one covers 70 % of the other. Of
    two of like size the better score stays. Where one is less than a third of the other's area (an eye or a
    mouth taken for a face, inside a face) the larger stays, whatever the scores.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.score, -face.area, face.box)):
        rivals = [other for other in kept if _same(face, other)]
        if not rivals:
            kept.append(face)
        elif all(other.area < face.area / 3.0 for other in rivals):
            kept = [other for other in kept if other not in rivals] + [face]
    return sorted(kept, key=lambda face: (-face.score, -face.area, face.box))


def _same(one: Face, other: Face) -> bool:
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared > 0.5 * (one.area + other.area - shared) or shared > 0.7 * min(one.area, other.area)
