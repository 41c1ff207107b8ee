"""Faces in photographs that are turned: found where they are, with their features where those are."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import SHARED_DIR, Find, finder, rand
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.turns import quarters_of, turn, turn_face
from lumiface.faces.upright import find_upright
from lumiface.faces.warp import warp
from lumiface.imaging.io import decode_rgb8, read_picture
from lumiface.imaging.quantize import from_uint8

POINTS = torch.tensor([[204.0, 101.0], [247.0, 103.5], [225.0, 126.0], [202.0, 139.0], [245.0, 141.5]])
"""The astronaut's landmarks."""


@pytest.fixture(scope="module")
def shared_case() -> Find:
    return finder("LUMIFACE_CASES", SHARED_DIR / "cases")


def _tile(astronaut: Tensor, side: int, degrees: float = 0.0) -> tuple[Tensor, Tensor]:
    """The astronaut's head, turned clockwise about its middle, and the landmarks there."""
    angle = torch.deg2rad(torch.tensor(-degrees, dtype=torch.float64))
    rotation = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    centre, window = torch.tensor([225.0, 115.0], dtype=torch.float64), 220.0
    back = torch.cat([rotation * window, (centre - rotation.sum(1) * window / 2)[:, None]], 1)
    points = ((POINTS.double() - centre) @ rotation / window + 0.5) * side
    return warp(astronaut, back, (side, side)), points.float()


def _off(face: Face, points: Tensor) -> float:
    """Largest distance of a landmark, in sides of the face."""
    return float((torch.tensor(face.landmarks) - points).norm(dim=1).max()) / face.side


@pytest.mark.parametrize(
    ("degrees", "gamma"), [(0.0, 1.0), (-25.0, 3.0), pytest.param(12.0, 1.0, marks=pytest.mark.slow)]
)
def test_a_turned_picture_gives_the_same_faces(
    astronaut: Tensor, detector: FaceDetector, degrees: float, gamma: float
) -> None:
    """To the last bit: they are found in the same pixels. In the light and in the dark."""
    head, points = _tile(astronaut, 84, degrees)
    head = (head**gamma * 255).round() / 255
    upright = find_upright(head, detector)
    assert (upright.quarters, len(upright.faces), upright.rotated) == (0, 1, [])
    assert _off(upright.faces[0], points) < 0.1
    for quarters in (1, 2, 3):
        found = find_upright(turn(head, -quarters), detector)
        assert found.quarters == quarters
        assert found.faces == upright.faces
        assert found.rotated == []


@pytest.mark.parametrize(
    ("side", "lies", "least"),
    [
        (60, [[2, 2, 2], [2, 1, 1]], 6),
        pytest.param(84, [[3, 3, 3], [3, 2, 3]], 6, marks=pytest.mark.slow),
        (72, [[0, 2, 0], [2, 0, 1]], 3),
    ],
    ids=["upside down", "on the side", "some upright"],
)
def test_each_of_several_small_faces_as_it_lies(
    astronaut: Tensor, detector: FaceDetector, side: int, lies: list[list[int]], least: int
) -> None:
    """Six faces of 27 to 38 pixels, each turned counterclockwise by quarters. Where certain faces are upright
    the others are not searched for; those found by chance must not be taken for upright, either."""
    head, points = _tile(astronaut, side)
    sheet = torch.full((1, 3, 2 * side, 3 * side), 0.2)
    for row in range(2):
        for column in range(3):
            place = (..., slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
            sheet[place] = turn(head, lies[row][column])
    found = find_upright(sheet, detector)
    assert found.quarters == -lies[0][0] % 4
    assert len(found.faces) >= least
    height, width = (2 * side, 3 * side)[:: -1 if found.quarters % 2 else 1]
    for face in (turn_face(face, -found.quarters, width, height) for face in found.faces):
        column, row = (int((face.box[i] + face.box[i + 2]) / 2 / side) for i in (0, 1))
        quarters = lies[row][column]
        assert quarters_of(face) == -quarters % 4
        left, top, right, bottom = face.box
        x, y = column * side, row * side
        landmarks = tuple((px - x, py - y) for px, py in face.landmarks)
        alone = Face((left - x, top - y, right - x, bottom - y), face.score, landmarks)
        assert _off(turn_face(alone, -quarters, side, side), points) < 0.12


def test_upright_faces_cost_one_search(
    astronaut: Tensor, detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[tuple[int, ...]] = []
    kind = type(detector)
    forward = kind.forward

    def spy(self: FaceDetector, pictures: Tensor) -> list[list[Face]]:
        searches.append(tuple(pictures.shape))
        return forward(self, pictures)

    monkeypatch.setattr(kind, "forward", spy)
    head, _ = _tile(astronaut, 100)
    find_upright(head, detector)
    single = len(searches)  # at one size or at two
    find_faces(head, detector)
    assert len(searches) == 2 * single
    find_upright(turn(head, 1), detector)
    assert len(searches) >= 2 * single + 4


def _textures() -> dict[str, Tensor]:
    """Drawn pictures without a face, 72 x 96."""
    x, y = torch.arange(96.0), torch.arange(72.0)[:, None]
    dots = ((x % 24 - 12).square() + (y % 24 - 12).square() < 30.0).float()
    coarse = F.interpolate(rand(1, 3, 6, 8, seed=5), (72, 96), mode="bicubic").clamp(0, 1)
    rings = 0.5 + 0.5 * torch.cos(((x - 48).square() + (y - 36).square()).sqrt() / 3.0)
    lamps = torch.zeros(72, 96)
    for left, top in ((24, 18), (60, 18), (42, 40)):  # two above one, like eyes and a mouth
        lamps[top : top + 8, left : left + 12] = 1.0
    drawn = {"dots": dots, "stripes": (x // 8 % 2).expand(72, 96), "rings": rings, "lamps": lamps}
    planes = {name: plane.expand(1, 3, -1, -1).contiguous() for name, plane in drawn.items()}
    return planes | {"noise": rand(1, 3, 72, 96, seed=4), "clouds": coarse}


@pytest.mark.parametrize("name", sorted(_textures()))
def test_no_face_in_any_turn(name: str, detector: FaceDetector) -> None:
    found = find_upright(_textures()[name], detector)
    assert (found.quarters, found.faces, found.rotated) == (0, [], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["brick", "cell", "chelsea", "coffee", "coins", "grass", "gravel", "moon", "rocket", "text"]
)
def test_no_face_in_photographs_without_people(name: str, detector: FaceDetector) -> None:
    import skimage.data

    pixels: np.ndarray = getattr(skimage.data, name)()
    pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    found = find_upright(from_uint8(np.ascontiguousarray(pixels)), detector)
    assert (found.faces, found.rotated) == ([], [])


def test_a_face_that_looks_turned_but_is_found_in_no_turn(
    astronaut: Tensor, detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and not among the faces: nothing may be drawn on it."""
    head, points = _tile(astronaut, 100)
    upside = turn(head, 2)
    taken = Face((30.0, 20.0, 72.0, 75.0), 0.9, tuple((x, y) for x, y in points.tolist()))  # as if upright

    def only_once(rgb: Tensor, *_: object, **__: object) -> list[Face]:
        return [taken] if torch.equal(rgb, upside) else []

    monkeypatch.setattr("lumiface.faces.upright.find_faces", only_once)
    found = find_upright(upside, detector)
    assert found.faces == []
    assert [face.box for face in found.rotated] == [taken.box]


def test_a_turned_face_in_a_given_box(astronaut: Tensor, detector: FaceDetector) -> None:
    head, points = _tile(astronaut, 100)
    upright = find_upright(head, detector).faces[0]
    turned = turn_face(upright, 1, 100, 100)
    x1, y1, x2, y2 = turned.box
    found = find_upright(turn(head, 1), detector, boxes=[(x1, y1, x2 - x1, y2 - y1)])
    assert found.quarters == 3
    assert found.faces[0].box == pytest.approx(upright.box, abs=1e-3)
    assert _off(found.faces[0], points) < 0.12
    assert find_upright(head, detector, which="none").faces == []


def test_the_largest_face_however_it_lies(astronaut: Tensor, detector: FaceDetector) -> None:
    large, small = _tile(astronaut, 120)[0], _tile(astronaut, 70)[0]
    scene = torch.full((1, 3, 120, 190), 0.2)
    scene[..., :120] = turn(large, 2)
    scene[..., :70, 120:] = turn(small, 1)
    found = find_upright(scene, detector, which="largest")
    assert len(found.faces) == 1
    assert found.quarters == 2
    assert found.faces[0].side > 45.0


@pytest.mark.parametrize(("name", "turns"), [("group_rot90.png", [3] * 4), ("upside_small.png", [0, 2] * 4)])
def test_handed_pictures(name: str, turns: list[int], shared_case: Find, detector: FaceDetector) -> None:
    found = find_upright(read_picture(shared_case(name)).rgb, detector)
    ways = [(found.quarters + quarters_of(face)) % 4 for face in found.faces]
    assert sorted(ways) == (turns if name.startswith("group") else [0] * 4 + [2] * 8)
    assert found.rotated == []


@pytest.mark.slow
def test_turned_portraits_in_the_wild(shared_data: Find, detector: FaceDetector) -> None:
    """Of 20 photographs at 128 pixels, each in the three turns: the same faces as upright."""
    same = 0
    with tarfile.open(Path(shared_data("wild128-test.tar"))) as tar:
        for member in [member for member in tar.getmembers() if member.isfile()][:20]:
            data = tar.extractfile(member)
            assert data is not None
            picture = from_uint8(decode_rgb8(data.read(), member.name))
            upright = find_upright(picture, detector)
            for quarters in (1, 2, 3):
                found = find_upright(turn(picture, -quarters), detector)
                same += found.quarters == quarters and found.faces == upright.faces
    assert same >= 58
