"""The faces of a photograph, whichever way up they lie in it, and the turn that sets most of them upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.exposure import normalize_exposure
from lumiface.faces.face import Face
from lumiface.faces.find import Which, find_faces
from lumiface.faces.turns import is_in_order, quarters_of, turn, turn_face
from lumiface.faces.warp import warp

SURE = 0.95
"""Score of a face that needs no search of the other ways up, and of one found by that search."""

_LEAD_QUICK, _LEAD = 0.3, 0.1  # of the upright score over the other turns', after one view and after six
_WINDOW = 96  # side in pixels of the window in which a face is scored; its box takes half
_CHUNK = 32  # faces scored at a time


@dataclass(frozen=True, slots=True)
class UprightFaces:
    """What was found.

    Attributes:
        quarters: counterclockwise quarter turns (`turns.turn`) after which most faces are upright.
        faces: the faces of the turned picture, largest first; landmarks of those that are not upright there
            lie where the features are.
        rotated: faces that look rotated, and whose features were not found.
    """

    quarters: int
    faces: list[Face]
    rotated: list[Face] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """The faces found in one turn of the picture: those upright in it, and those that look turned."""

    upright: list[Face]
    turned: list[Face]

    @property
    def is_sure(self) -> bool:
        return not self.turned and self.best >= SURE

    @property
    def best(self) -> float:
        return max((face.score for face in self.upright), default=0.0)

    @property
    def weight(self) -> float:
        """How much speaks for this way up."""
        return sum(face.score * face.side for face in self.upright) if self.best >= SURE else 0.0


def find_upright(
    rgb: Tensor,
    detector: FaceDetector,
    *,
    which: Which = "all",
    min_face: float | None = None,
    boxes: Sequence[tuple[float, float, float, float]] | None = None,
) -> UprightFaces:
    """The faces of a picture that may lie on its side or stand on its head; arguments as of `find_faces`.

    The picture is searched as it is. If a face is found with certainty and none looks turned, that is all.
    Otherwise the three other quarter turns are searched, too. The one with most faces counts; of the others
    only certain faces do, which lie apart from all others. Every face is looked at in the four ways up: one
    that looks turned is not returned, unless it is found in its own turn.

    So a picture turned by quarters gives the same faces, unless some of them lie differently from the others.
    """
    if boxes is not None or which == "none":
        return _of_boxes(rgb, detector, which, boxes)
    found = [_search(rgb, detector, min_face)]
    if found[0].is_sure:
        return _chosen(0, found[0].upright, [], which)
    found += [_search(turn(rgb, quarters), detector, min_face) for quarters in (1, 2, 3)]
    main = max(range(4), key=lambda quarters: found[quarters].weight)
    faces = list(found[main].upright)
    others, turned = list[Face](), list[Face]()
    for quarters, there in enumerate(found):
        width, height = (rgb.shape[-1], rgb.shape[-2])[:: -1 if quarters % 2 else 1]
        others += [turn_face(face, main - quarters, width, height) for face in there.upright]
        turned += [turn_face(face, main - quarters, width, height) for face in there.turned]
    faces += _apart(others, faces)
    return _chosen(main, faces, _apart(turned, faces), which)


def _apart(more: list[Face], faces: list[Face]) -> list[Face]:
    """The certain ones of `more` that share their middle with none of `faces` and not with one another."""
    added: list[Face] = []
    for face in sorted(more, key=lambda face: (-face.score, face.box)):
        near = (_contains(face, other) or _contains(other, face) for other in faces + added)
        if face.score >= SURE and not any(near):
            added.append(face)
    return added


def _contains(face: Face, other: Face) -> bool:
    x, y = (other.box[0] + other.box[2]) / 2.0, (other.box[1] + other.box[3]) / 2.0
    return face.box[0] < x < face.box[2] and face.box[1] < y < face.box[3]


def _search(rgb: Tensor, detector: FaceDetector, min_face: float | None) -> _Found:
    faces = find_faces(rgb, detector, min_face=min_face)
    upright, turned = list[Face](), list[Face]()
    for face, there in zip(faces, _features(rgb, faces, detector), strict=True):
        if quarters_of(there) == 0 and is_in_order(face):
            upright.append(face)
        else:
            turned.append(replace(face, score=there.score))
    return _Found(upright, turned)


def _of_boxes(
    rgb: Tensor,
    detector: FaceDetector,
    which: Which,
    boxes: Sequence[tuple[float, float, float, float]] | None,
) -> UprightFaces:
    """The faces in given boxes, each as it lies there."""
    faces = find_faces(rgb, detector, which=which, boxes=boxes)
    seen = _features(rgb, faces, detector)
    placed = [
        there if quarters_of(there) and there.score >= SURE and is_in_order(there) else face
        for face, there in zip(faces, seen, strict=True)
    ]
    sides = [0.0] * 4
    for face in placed:
        sides[quarters_of(face)] += face.side
    main = max(range(4), key=sides.__getitem__)
    height, width = rgb.shape[-2:]
    return UprightFaces(main, [turn_face(face, main, width, height) for face in placed])


@torch.inference_mode()
def _features(rgb: Tensor, faces: list[Face], detector: FaceDetector) -> list[Face]:
    """Each face with score and landmarks of the quarter turn in which it scores most."""
    seen: list[Face] = []
    for start in range(0, len(faces), _CHUNK):
        chunk = faces[start : start + _CHUNK]
        windows = torch.cat([warp(rgb, _window(face), (_WINDOW, _WINDOW)) for face in chunk])
        scores, points = _scored(windows, detector, quick=True)
        # Many faces are upright beyond doubt at the first look, most after all views; the others get even
        # light, too.
        unsure = _unsure(scores, _LEAD_QUICK)
        scores[:, unsure], points[:, unsure] = _scored(windows[unsure], detector, quick=False)
        unsure = unsure[_unsure(scores[:, unsure], _LEAD)]
        lit_scores, lit_points = _scored(normalize_exposure(windows[unsure]), detector, quick=False)
        all_scores = torch.cat([scores[:, unsure], lit_scores])
        best = all_scores.argmax(0)
        points[0, unsure] = torch.cat([points[:, unsure], lit_points])[best, torch.arange(len(best))]
        scores[0, unsure] = all_scores.amax(0)
        for face, score, there in zip(chunk, scores[0].tolist(), points[0], strict=True):
            back = _window(face)
            landmarks = (there.double() / _WINDOW) @ back[:, :2].T + back[:, 2]
            seen.append(Face(face.box, score, tuple((x, y) for x, y in landmarks.tolist())))
    return seen


def _unsure(scores: Tensor, lead: float) -> Tensor:
    """Which of the faces with scores (4, N) are not found certainly and by that lead the right way up."""
    return ((scores[0] < SURE) | (scores[0] - scores[1:].amax(0) < lead)).nonzero()[:, 0]


def _scored(windows: Tensor, detector: FaceDetector, *, quick: bool) -> tuple[Tensor, Tensor]:
    """Scores (4, N) and points (4, N, 5, 2), on the CPU, of faces in the middle of windows (N, 3, H, W)."""
    if len(windows) == 0:
        return torch.zeros(4, 0), torch.zeros(4, 0, 5, 2)
    index = torch.arange(len(windows), device=windows.device)
    boxes = windows.new_tensor([[0.25, 0.25, 0.75, 0.75]]).mul(_WINDOW).expand(len(windows), 4)
    scores, points = detector.score_turns(windows, index, boxes, quick=quick)
    return scores.cpu(), points.cpu()


def _window(face: Face) -> Tensor:
    """(2, 3) float64: the unit square -> the square of twice the box's longer side about its middle."""
    x1, y1, x2, y2 = face.box
    side = 2.0 * max(x2 - x1, y2 - y1)
    corner = ((x1 + x2 - side) / 2.0, (y1 + y2 - side) / 2.0)
    return torch.tensor([[side, 0.0, corner[0]], [0.0, side, corner[1]]], dtype=torch.float64)


def _chosen(quarters: int, faces: list[Face], rotated: list[Face], which: Which) -> UprightFaces:
    faces = sorted(faces, key=lambda face: (-face.area, face.box))
    return UprightFaces(quarters, faces[:1] if which == "largest" else faces, rotated)
