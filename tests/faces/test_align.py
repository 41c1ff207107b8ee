"""Alignment: from a picture to an upright face, and back."""

from __future__ import annotations

import math
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.align import (
    TEMPLATE,
    TEMPLATE_BOX,
    crop_face,
    face_matrix,
    invert,
    native_side,
    similarity_transform,
)
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.warp import warp
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8


def _similarity(scale: float, degrees: float, x: float, y: float) -> Tensor:
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, x], [s, c, y]], dtype=torch.float64)


def _apply(matrix: Tensor, points: Tensor) -> Tensor:
    return points.double() @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("seed", range(6))
def test_similarity_is_scikit_image_s(seed: int) -> None:
    from skimage.transform import SimilarityTransform

    generator = torch.Generator().manual_seed(seed)
    source = 300 * torch.rand(5, 2, generator=generator, dtype=torch.float64)
    target = _apply(_similarity(0.02, 47.0 * seed, -3, 9), source)
    target = target + 0.5 * torch.randn(5, 2, generator=generator, dtype=torch.float64)
    if seed == 5:
        target[:, 0] *= -1  # a mirrored face: the best rotation, never a reflection
    if hasattr(SimilarityTransform, "from_estimate"):  # scikit-image 0.26 and later
        outside = SimilarityTransform.from_estimate(source.numpy(), target.numpy())
    else:
        outside = SimilarityTransform()
        assert outside.estimate(source.numpy(), target.numpy())
    actual = similarity_transform(source, target)
    np.testing.assert_allclose(actual.numpy(), outside.params[:2], atol=1e-9)
    assert torch.linalg.det(actual[:, :2]) > 0


@pytest.mark.parametrize("degrees", [0.0, 33.0, -170.0])
def test_similarity_recovers_what_was_done(degrees: float) -> None:
    done = _similarity(3.7, degrees, 120, -55)
    source = torch.tensor(TEMPLATE)
    torch.testing.assert_close(similarity_transform(source, _apply(done, source)), done, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (torch.ones(5, 2), torch.rand(5, 2), "coincide"),
        (torch.ones(1, 2), torch.ones(1, 2), "N >= 2"),
        (torch.rand(5, 2), torch.rand(4, 2), "two"),
        (torch.rand(5, 3), torch.rand(5, 3), "two"),
    ],
)
def test_similarity_refuses(source: Tensor, target: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        similarity_transform(source, target)


@pytest.mark.parametrize("matrix", [_similarity(0.003, 20, 4000, -7), _similarity(250, -99, 0.1, 0)])
def test_inverse_is_exact(matrix: Tensor) -> None:
    points = torch.rand(50, 2, dtype=torch.float64)
    there = _apply(matrix, points)
    assert (_apply(invert(matrix), there) - points).abs().max() < 1e-9
    assert (invert(invert(matrix)) - matrix).abs().max() < 1e-9


def test_native_side_is_the_crop_in_picture_pixels() -> None:
    to_picture = _similarity(160.0, 25, 70, 40)
    points = tuple((float(x), float(y)) for x, y in _apply(to_picture, torch.tensor(TEMPLATE)))
    face = Face((0, 0, 1, 1), 1.0, points)
    assert native_side(face) == pytest.approx(160.0, rel=1e-5)
    torch.testing.assert_close(invert(face_matrix(face)), to_picture, atol=1e-3, rtol=0)


def test_crop_on_the_pixels_is_the_pixels(astronaut: Tensor) -> None:
    matrix = invert(torch.tensor([[128.0, 0, 150], [0, 128.0, 40]]))
    crop = crop_face(astronaut, matrix, 128)
    assert (crop - astronaut[..., 40:168, 150:278]).abs().max() < 1e-4


def test_crop_of_the_whole_is_the_whole(astronaut: Tensor) -> None:
    crop = crop_face(astronaut, invert(torch.tensor([[512.0, 0, 0], [0, 512.0, 0]])), 512)
    assert (crop - astronaut).abs().max() < 1e-4


@pytest.mark.parametrize("size", [32, 75, 200])
def test_crop_is_antialiased(size: int, astronaut: Tensor) -> None:
    """A crop of the whole is what a proper shrink gives; one-pixel stripes become grey."""
    whole = invert(torch.tensor([[512.0, 0, 0], [0, 512.0, 0]]))
    expected = F.interpolate(astronaut, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    assert (crop_face(astronaut, whole, size) - expected).abs().mean() < 0.004
    stripes = (torch.arange(512) % 2).float().expand(1, 3, 512, 512)
    assert (crop_face(stripes, whole, size)[..., 2:-2, 2:-2] - 0.5).abs().max() < 0.06


def test_crop_of_a_ramp_is_the_ramp() -> None:
    """Turned and enlarged, a plane stays the same plane, to a tenth of a pixel (torch's bicubic, whose
    parameter is -0.75, moves values between the pixels by that much)."""
    rows, columns = torch.meshgrid(torch.arange(90.0) + 0.5, torch.arange(120.0) + 0.5, indexing="ij")
    plane = (0.2 + 0.003 * columns + 0.002 * rows).expand(1, 3, 90, 120)
    to_picture = _similarity(40.0, 30, 60, 20)
    crop = crop_face(plane, invert(to_picture), 64)
    v, u = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    x, y = _apply(to_picture, torch.stack([u, v], -1).flatten(0, 1) / 64).T
    expected = (0.2 + 0.003 * x + 0.002 * y).view(64, 64)
    assert (crop - expected).abs().max() < 0.1 * 0.0036
    assert (crop - expected).mean().abs() < 1e-6


def test_beyond_the_rim_the_picture_is_mirrored(astronaut: Tensor) -> None:
    crop = crop_face(astronaut, invert(torch.tensor([[64.0, 0, -32], [0, 64.0, 100]])), 64)
    assert (crop - crop.flip(3)).abs().max() < 1e-4
    assert (crop[..., 32:] - astronaut[..., 100:164, :32]).abs().max() < 1e-4
    outside = crop_face(astronaut, invert(torch.tensor([[64.0, 0, 5000], [0, 64.0, 100]])), 64)
    assert outside.isfinite().all()


def test_turned_crop_puts_the_points_on_the_template(astronaut: Tensor) -> None:
    detector = FaceDetector()
    back = torch.tensor([[300 * 0.94, -300 * 0.342, 130], [300 * 0.342, 300 * 0.94, -60]])
    (face,) = find_faces(warp(astronaut, back, (300, 300)), detector)  # rotated by 20 degrees
    crop = crop_face(warp(astronaut, back, (300, 300)), face_matrix(face), 256)
    (upright,) = find_faces(crop, detector, which="largest")
    assert (torch.tensor(upright.landmarks) / 256 - torch.tensor(TEMPLATE)).abs().max() < 0.04


def test_template_is_what_the_detector_sees(shared_data: Callable[[str], Path]) -> None:
    detector = FaceDetector()
    points, boxes = [], []
    with tarfile.open(shared_data("faces256-val.tar")) as tar:
        for member in [member for member in tar.getmembers() if member.isfile()]:
            data = tar.extractfile(member)
            assert data is not None
            rgb = from_uint8(decode_rgb8(data.read(), member.name))
            (face,) = find_faces(rgb, detector, which="largest")
            points.append(face.landmarks)
            boxes.append(face.box)
    assert len(points) == 100
    assert (torch.tensor(points).mean(0) / 256 - torch.tensor(TEMPLATE)).abs().max() < 0.003
    assert (torch.tensor(boxes).mean(0) / 256 - torch.tensor(TEMPLATE_BOX)).abs().max() < 0.003
