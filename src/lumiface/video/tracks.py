"""The faces of a video: found in every frame, followed from frame to frame, their landmarks smoothed."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.face import Face, drop_duplicates
from lumiface.faces.find import Which, find_faces
from lumiface.faces.upright import SURE

REACH = 4
"""Frames before and after one from which its landmarks are estimated."""

_SIGMA = 2.0  # of the weights of those frames, in frames
_SEARCH_EVERY = (
    10  # frames between two searches of the whole picture; between them faces are looked for where they were
)
_OVERLAP = 0.3  # intersection over union of two boxes of one face in successive frames
_FACE_SIDE = 64.0  # side of a known face in the window in which it is looked for, at most
_AROUND = 2.4  # sides of that window, in sides of the face
_LOST = 8  # frames after which a face that is not found again is another one


@dataclass(slots=True)
class Track:
    """One face through the frames.

    Attributes:
        number: of the track, the same for the same face; names what is remembered of it.
        seen: frame -> the face found in it.
    """

    number: int
    seen: dict[int, Face] = field(default_factory=dict[int, Face])

    @property
    def last(self) -> int:
        return max(self.seen)

    def at(self, index: int) -> Face | None:
        """The face in a frame: a line fitted to each coordinate over the frames around it.

        None if it was not seen in the frame itself nor both before and after, or in no other frame and not
        for sure: a face seen once is more often none.
        """
        near = [frame for frame in range(index - REACH, index + REACH + 1) if frame in self.seen]
        before, after = any(frame < index for frame in near), any(frame > index for frame in near)
        if not (index in self.seen or (before and after)):
            return None
        if len(near) == 1:
            return self.seen[index] if self.seen[index].score >= SURE else None
        times = torch.tensor([frame - index for frame in near], dtype=torch.float64)
        weights = (-0.5 * (times / _SIGMA) ** 2).exp()
        rows = torch.tensor([_row(self.seen[frame]) for frame in near], dtype=torch.float64)
        mean, middle = weights @ rows / weights.sum(), float(weights @ times / weights.sum())
        spread = float(weights @ (times - middle) ** 2)
        slope = (weights * (times - middle)) @ (rows - mean) / spread
        return _face((mean - slope * middle).tolist(), max(self.seen[frame].score for frame in near))


class Tracker:
    """Finds faces in one frame after the other and connects them to tracks.

    Args:
        detector: as for photographs.
        which, min_face: as of `find_faces`.
    """

    def __init__(self, detector: FaceDetector, which: Which, min_face: float | None) -> None:
        self.detector, self.min_face = detector, min_face
        self.which: Which = which
        self.tracks: list[Track] = []
        self._numbers = itertools.count()
        self._searched = -_SEARCH_EVERY

    def observe(self, index: int, rgb: Tensor) -> None:
        """Find the faces of a frame (1, 3, H, W), the next one.

        The whole frame is searched every tenth time, and while there is no face; else each face is looked for
        around its last place, which costs a hundredth.
        """
        known = [track for track in self.tracks if index - track.last <= _LOST]
        if not known or index - self._searched >= _SEARCH_EVERY:
            self._searched = index
            found = find_faces(rgb, self.detector, which=self.which, min_face=self.min_face)
        else:
            near = (self._look(rgb, track.seen[track.last]) for track in known)
            found = drop_duplicates([face for face in near if face is not None])
        self._connect(index, found, known)

    def restart(self) -> None:
        """Forget all faces, at a cut."""
        self.tracks.clear()
        self._searched = -_SEARCH_EVERY

    def faces(self, index: int) -> list[tuple[int, Face]]:
        """Number of the track and smoothed face, of a frame; those up to `REACH` later are observed, too."""
        found = [(track.number, track.at(index)) for track in self.tracks]
        return [(number, face) for number, face in found if face is not None]

    def forget(self, index: int) -> None:
        """Drop what lies too far before a frame to count for it or a later one."""
        for track in self.tracks:
            for frame in [frame for frame in track.seen if frame < index - REACH and frame != track.last]:
                del track.seen[frame]
        self.tracks = [track for track in self.tracks if index - track.last <= _LOST + REACH]

    def _connect(self, index: int, found: list[Face], known: list[Track]) -> None:
        pairs = sorted(
            (
                (_overlap(face, track.seen[track.last]), i, j)
                for i, face in enumerate(found)
                for j, track in enumerate(known)
            ),
            reverse=True,
        )
        taken_faces, taken_tracks = set[int](), set[int]()
        for overlap, i, j in sorted(pairs, reverse=True):
            if overlap >= _OVERLAP and i not in taken_faces and j not in taken_tracks:
                known[j].seen[index] = found[i]
                taken_faces.add(i)
                taken_tracks.add(j)
        for i, face in enumerate(found):
            if i not in taken_faces:
                self.tracks.append(Track(next(self._numbers), {index: face}))

    def _look(self, rgb: Tensor, face: Face) -> Face | None:
        """The face, looked for in a window around its last place; reduced, where it is large."""
        x1, y1, x2, y2 = face.box
        half = _AROUND / 2.0 * max(x2 - x1, y2 - y1)
        x, y = (x1 + x2) / 2.0, (y1 + y2) / 2.0
        left, top = max(0, math.floor(x - half)), max(0, math.floor(y - half))
        window = rgb[..., top : math.ceil(y + half), left : math.ceil(x + half)]
        if window.numel() == 0:
            return None
        factor = min(1.0, _FACE_SIDE / face.side)
        height, width = window.shape[-2:]
        if factor < 1.0:
            size = (max(1, round(height * factor)), max(1, round(width * factor)))
            window = F.interpolate(window, size, mode="bilinear", antialias=True)
        there = [
            other.scaled(width / window.shape[-1], height / window.shape[-2])
            for other in find_faces(window, self.detector, min_face=self.min_face)
        ]
        moved = [_moved(other, left, top) for other in there]
        return max(moved, key=lambda other: _overlap(other, face), default=None)


def _row(face: Face) -> list[float]:
    return [*face.box, *(value for point in face.landmarks for value in point)]


def _face(row: list[float], score: float) -> Face:
    x1, y1, x2, y2, *points = row
    return Face((x1, y1, x2, y2), score, tuple(zip(points[::2], points[1::2], strict=True)))


def _moved(face: Face, x: float, y: float) -> Face:
    x1, y1, x2, y2 = face.box
    points = tuple((px + x, py + y) for px, py in face.landmarks)
    return Face((x1 + x, y1 + y, x2 + x, y2 + y), face.score, points)


def _overlap(one: Face, other: Face) -> float:
    """Intersection over union of the boxes."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / max(one.area + other.area - shared, 1e-9)
