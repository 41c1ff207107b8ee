"""Faces of whole photographs: dark, rotated, small, many, or none."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.align import native_side
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.exposure import normalize_exposure
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.warp import warp
from lumiface.imaging.color import luma
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8

POINTS = torch.tensor([[204.0, 101.0], [247.0, 103.5], [225.0, 126.0], [202.0, 139.0], [245.0, 141.5]])


def _dark(rgb: Tensor, gamma: float) -> Tensor:
    return (0.7 * (0.95 * rgb) ** gamma * 255).round() / 255


def _resized(rgb: Tensor, side: int) -> Tensor:
    return F.interpolate(rgb, (side, side), mode="bicubic", antialias=True).clamp(0, 1)


def _off(face: Face, points: Tensor) -> float:
    return float((torch.tensor(face.landmarks) - points).abs().max())


@pytest.mark.parametrize("gamma", [1.0, 3.0, 5.0])
def test_one_face_however_dark(astronaut: Tensor, detector: FaceDetector, gamma: float) -> None:
    (face,) = find_faces(_dark(astronaut, gamma), detector)
    assert _off(face, POINTS) < 5.0


def test_even_light_finds_what_the_dark_hides(astronaut: Tensor, detector: FaceDetector) -> None:
    """A face at three of 255 levels next to a bright wall: invisible without normalisation."""
    scene = torch.full((1, 3, 320, 640), 0.8)
    scene[..., 320:] = (0.06 * _dark(astronaut[..., :320, 64:384], 2.0) / 0.7 * 255).round() / 255
    if type(detector) is FaceDetector:  # YuNet sees it even so
        assert detector(scene) == [[]]
    (face,) = find_faces(scene, detector)
    assert _off(face, POINTS - torch.tensor([64.0 - 320.0, 0.0])) < 6.0


def test_even_light() -> None:
    generator = torch.Generator().manual_seed(0)
    dark = torch.rand(2, 3, 50, 31, generator=generator) ** 6
    lit = normalize_exposure(dark)
    assert lit.shape == dark.shape
    assert lit.min() >= 0
    assert lit.max() <= 1
    assert ((luma(lit).mean((1, 2, 3)) - 0.45).abs() < 0.06).all()
    flat = normalize_exposure(torch.full((1, 3, 9, 9), 0.45))
    torch.testing.assert_close(flat, torch.full((1, 3, 9, 9), 0.45), atol=1e-3, rtol=0)
    assert normalize_exposure(torch.zeros(1, 3, 1, 1)).isfinite().all()


@pytest.mark.parametrize("degrees", [-30.0, -15.0, 20.0])
def test_turned_face(astronaut: Tensor, detector: FaceDetector, degrees: float) -> None:
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    rotation = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    centre = torch.tensor([225.0, 120.0], dtype=torch.float64)
    side = 300.0  # a window of this side about the face, rotated
    back = torch.cat([rotation * side, (centre - rotation.sum(1) * side / 2)[:, None]], 1)
    (face,) = find_faces(warp(astronaut, back, (300, 300)), detector)
    expected = (POINTS.double() - centre) @ rotation + side / 2
    assert _off(face, expected.float()) < 6.0


def test_two_faces_of_two_sizes(astronaut: Tensor, detector: FaceDetector) -> None:
    scene = torch.full((1, 3, 512, 768), 0.5)
    scene[..., :512] = astronaut
    scene[..., 100:356, 512:] = _resized(astronaut, 256)
    large, small = find_faces(scene, detector)
    assert _off(large, POINTS) < 5.0
    assert _off(small, POINTS / 2 + torch.tensor([512.0, 100.0])) < 3.0
    assert find_faces(scene, detector, which="largest") == [large]
    assert find_faces(scene, detector, min_face=70.0) == [large]
    assert find_faces(scene, detector) == [large, small]  # the same again


def test_small_face_is_found_at_twice_the_size(astronaut: Tensor) -> None:
    detector = FaceDetector(min_face=40.0)
    small = _resized(astronaut, 84)  # her face is 16 pixels wide here
    assert detector(small) == [[]]
    (face,) = find_faces(small, detector, min_face=12.0)
    assert _off(face, POINTS * 84 / 512) < 1.5
    assert find_faces(small, detector) == []  # by default half of `min_face` is the least


def test_large_photo_is_searched_in_bounded_size(
    astronaut: Tensor, detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("lumiface.faces.find._MAX_PIXELS", 250_000)
    handle = detector.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0][0, 0].numel()))
    (face,) = find_faces(_resized(astronaut, 1024), detector)
    handle.remove()
    assert max(sizes) <= 251_000
    assert _off(face, POINTS * 2) < 8.0


@pytest.mark.parametrize("kind", ["noise", "gradient", "black", "white"])
def test_no_face(kind: str, detector: FaceDetector) -> None:
    generator = torch.Generator().manual_seed(3)
    pictures = {
        "noise": torch.rand(1, 3, 120, 160, generator=generator),
        "gradient": torch.linspace(0, 1, 160).expand(1, 3, 120, 160),
        "black": torch.zeros(1, 3, 120, 160),
        "white": torch.ones(1, 3, 120, 160),
    }
    assert find_faces(pictures[kind], detector) == []


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (3, 200), (61, 17), (0, 5)])
def test_tiny_pictures(size: tuple[int, int], detector: FaceDetector) -> None:
    assert find_faces(torch.full((1, 3, *size), 0.4), detector) == []


def test_none_means_no_search(astronaut: Tensor) -> None:
    class Blind(FaceDetector):
        def forward(self, pictures: Tensor) -> list[list[Face]]:
            raise AssertionError("looked")

    assert find_faces(astronaut, Blind(), which="none") == []


def test_box_by_hand(astronaut: Tensor, detector: FaceDetector) -> None:
    (face,) = find_faces(astronaut, detector, boxes=[(170.0, 50.0, 105.0, 130.0)])
    assert face.box == (170.0, 50.0, 275.0, 180.0)
    assert face.score > 0.9
    assert _off(face, POINTS) < 6.0
    small, large = (40.0, 300.0, 20.0, 24.0), (300.0, 380.0, 100.0, 120.0)
    first, second = find_faces(astronaut, detector, boxes=[small, large])
    assert (first.box, second.box) == ((300, 380, 400, 500), (40, 300, 60, 324))
    # No face there: a mean face in the box, upright and as large as such a box's face is.
    (left, right, *_) = first.landmarks
    assert left[1] == pytest.approx(right[1])
    assert native_side(first) == pytest.approx(100 / 0.5326, rel=0.1)
    assert all(300 < x < 400 and 380 < y < 500 for x, y in first.landmarks)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((10, 10, 0, 5), "above 0"),
        ((600, 10, 20, 20), "outside"),
        ((-30, 10, 20, 20), "outside"),
        ((float("nan"), 10, 20, 20), "four numbers"),
        ((10, 10, float("inf"), 20), "four numbers"),
        ((10, 10, 20), "four numbers"),
    ],
)
def test_impossible_box(
    astronaut: Tensor, detector: FaceDetector, box: tuple[float, ...], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        find_faces(astronaut, detector, boxes=[box])  # type: ignore[list-item]


def test_box_and_none_contradict(astronaut: Tensor, detector: FaceDetector) -> None:
    with pytest.raises(SettingError, match="contradict"):
        find_faces(astronaut, detector, boxes=[(1, 1, 9, 9)], which="none")


def test_two_pictures_are_refused(detector: FaceDetector) -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, H, W\)"):
        find_faces(torch.zeros(2, 3, 9, 9), detector)


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_recall_in_the_dark(shared_data: Callable[[str], Path], detector: FaceDetector, step: int) -> None:
    """The last column of the table in `find`: of 300 faces 286 or 292 by the detector alone, 299 by
    `find_faces`. Every third of them by default."""
    pictures: list[Tensor] = []
    with tarfile.open(shared_data("faces256-test.tar")) as tar:
        for member in [member for member in tar.getmembers() if member.isfile()]:
            data = tar.extractfile(member)
            assert data is not None
            pictures.append(from_uint8(decode_rgb8(data.read(), member.name))[0])
    assert len(pictures) == 300
    dark = _dark(F.interpolate(torch.stack(pictures[::step]), (128, 128), mode="area"), 5.0)
    alone = sum(any(face.side > 40 for face in faces) for faces in detector(dark))
    found = 0
    for picture in dark:
        found += any(face.side > 40 for face in find_faces(picture[None], detector, which="largest"))
    assert (282 if type(detector) is FaceDetector else 288) / step <= alone <= 295 / step
    assert found >= 297 / step
