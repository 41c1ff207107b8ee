"""Quarter turns of pictures and faces."""

from __future__ import annotations

import math

import pytest
import torch

from helpers import rand
from lumiface.faces.align import TEMPLATE, TEMPLATE_BOX
from lumiface.faces.face import Face
from lumiface.faces.turns import is_in_order, quarters_of, turn, turn_face


def _face(points: tuple[tuple[float, float], ...] = TEMPLATE) -> Face:
    x1, y1, x2, y2 = (100.0 * v for v in TEMPLATE_BOX)
    return Face((x1, y1, x2, y2), 0.9, tuple((100.0 * x, 100.0 * y) for x, y in points))


def _rolled(degrees: float) -> Face:
    """The mean face, turned clockwise about the middle of its square."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    middle = [(x - 0.5, y - 0.5) for x, y in TEMPLATE]
    return _face(tuple((0.5 + x * cosine - y * sine, 0.5 + x * sine + y * cosine) for x, y in middle))


@pytest.mark.parametrize("quarters", range(-3, 5))
def test_a_face_turns_with_its_picture(quarters: int) -> None:
    """The pixels under its landmarks and at the corners of its box are the same before and after."""
    picture = rand(1, 3, 5, 9)
    points = ((1.5, 0.5), (7.5, 1.5), (4.5, 2.5), (2.5, 4.5), (6.5, 3.5))
    face = Face((1.0, 0.0, 8.0, 4.0), 0.9, points)
    turned, there = turn(picture, quarters), turn_face(face, quarters, 9, 5)
    for (x, y), (u, v) in zip(points, there.landmarks, strict=True):
        assert torch.equal(picture[..., int(y), int(x)], turned[..., int(v), int(u)])
    x1, y1, x2, y2 = (round(v) for v in there.box)
    inside, before = turned[..., y1:y2, x1:x2], picture[..., 0:4, 1:8]
    assert torch.equal(inside, torch.rot90(before, quarters, (2, 3)))
    assert there.area == face.area
    assert turn_face(there, -quarters, turned.shape[-1], turned.shape[-2]) == face


@pytest.mark.parametrize(
    ("degrees", "quarters"), [(0, 0), (40, 0), (-40, 0), (90, 1), (130, 1), (180, 2), (-140, 2), (-90, 3)]
)
def test_the_turn_that_sets_a_face_upright(degrees: float, quarters: int) -> None:
    face = _rolled(degrees)
    assert quarters_of(face) == quarters
    assert quarters_of(turn_face(face, quarters, 100, 100)) == 0
    assert is_in_order(face)


@pytest.mark.parametrize(
    "order",
    [(0, 1, 3, 2, 4), (2, 1, 0, 3, 4), (1, 0, 2, 3, 4), (0, 1, 2, 4, 3), (1, 0, 2, 4, 3)],
    ids=["nose beside the mouth", "nose above the eyes", "eyes swapped", "mouth swapped", "mirrored"],
)
def test_landmarks_out_of_order(order: tuple[int, ...]) -> None:
    assert not is_in_order(_face(tuple(TEMPLATE[i] for i in order)))


def test_a_nose_above_the_eyes_is_out_of_order() -> None:
    left, right, (x, _), *mouth = TEMPLATE
    assert not is_in_order(_face((left, right, (x, 0.40), *mouth)))
    assert not is_in_order(_face((left, right, (x, 0.80), *mouth)))
