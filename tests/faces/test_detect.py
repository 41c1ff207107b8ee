"""The detector: MTCNN's cascade, its weights, its suppression, and the boxes of a training set."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.faces.boxes import largest_face_boxes
from lumiface.faces.detectors import mtcnn, nms
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.detectors.mtcnn import HalvingPool
from lumiface.faces.detectors.nms import batched_nms
from lumiface.faces.detectors.pyramid import ImagePyramid
from lumiface.faces.face import Face, drop_duplicates
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8

# Read off the picture by eye: where her eyes, nose tip and mouth corners are.
ASTRONAUT = torch.tensor([[204.0, 101.0], [247.0, 103.5], [225.0, 126.0], [202.0, 139.0], [245.0, 141.5]])


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(min_face=40.0)


def _points(face: Face) -> Tensor:
    return torch.tensor(face.landmarks)


def test_astronaut_s_points_are_where_they_are(astronaut: Tensor, detector: FaceDetector) -> None:
    (face,) = detector(astronaut)[0]
    assert face.score > 0.99
    assert (_points(face) - ASTRONAUT).abs().max() < 4.0
    x1, y1, x2, y2 = face.box
    assert 165 < x1 < 190
    assert 45 < y1 < 80
    assert 255 < x2 < 285
    assert 160 < y2 < 190


def test_mirrored_picture_mirrors_the_points(astronaut: Tensor, detector: FaceDetector) -> None:
    (face,) = detector(astronaut.flip(3))[0]
    mirrored = _points(face)[[1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1.0]) + torch.tensor([512.0, 0.0])
    assert (mirrored - ASTRONAUT).abs().max() < 4.0


def test_a_batch_gives_what_each_picture_gives(astronaut: Tensor, detector: FaceDetector) -> None:
    pictures = torch.cat([astronaut, torch.zeros_like(astronaut), astronaut.flip(3)])
    batch = detector(pictures)
    for index in range(3):
        (alone,) = detector(pictures[index : index + 1])
        assert len(batch[index]) == len(alone) == (index != 1)
        for one, other in zip(batch[index], alone, strict=True):
            torch.testing.assert_close(torch.tensor(one.box), torch.tensor(other.box), atol=0.01, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (11, 300), (13, 13), (37, 53), (0, 20)])
def test_tiny_and_odd_sizes_give_no_face(size: tuple[int, int], detector: FaceDetector) -> None:
    assert detector(torch.full((2, 3, *size), 0.5)) == [[], []]


def test_empty_batch(detector: FaceDetector) -> None:
    assert detector(torch.zeros(0, 3, 64, 64)) == []


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64)])
def test_other_shapes_are_refused(shape: tuple[int, ...], detector: FaceDetector) -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        detector(torch.zeros(shape))


@pytest.mark.parametrize(
    ("setting", "name"), [({"min_face": 5.0}, "min_face"), ({"scale_factor": 1.0}, "scale")]
)
def test_impossible_settings_are_refused(setting: dict[str, float], name: str) -> None:
    with pytest.raises(SettingError, match=name):
        FaceDetector(**setting)


def test_second_look_knows_face_from_cloth(astronaut: Tensor, detector: FaceDetector) -> None:
    boxes = torch.tensor([[178.0, 60.0, 268.0, 173.0], [300.0, 380.0, 400.0, 500.0]])
    scores, points = detector.rescore_tta(astronaut, torch.zeros(2, dtype=torch.long), boxes)
    assert scores[0] > 0.99
    assert scores[1] < 0.3
    assert (points[0] - ASTRONAUT).abs().max() < 4.0


def test_crops_are_bilinear_and_grey_outside() -> None:
    ramp = torch.arange(64.0).expand(3, 64, 64)[None] / 64
    atlas = ImagePyramid(torch.cat([torch.zeros_like(ramp), ramp]))
    index = torch.tensor([1, 1, 0])
    boxes = torch.tensor([[10.0, 10, 34, 34], [0, 0, 48, 48], [40, 40, 88, 88]])
    crops = atlas.crop(index, boxes, 24)
    torch.testing.assert_close(crops[0, 0, 3], torch.arange(10.0, 34.0) / 64)  # one to one: exact
    torch.testing.assert_close(crops[1, 0, 3], (torch.arange(24) * 2 + 0.5) / 64)  # halved: means of two
    assert crops[2].abs().max() == 0.0


def _greedy(boxes: Tensor, scores: Tensor, groups: Tensor, overlap: float) -> list[int]:
    """The textbook loop."""
    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        for j in kept:
            if groups[i] == groups[j]:
                low, high = (
                    torch.maximum(boxes[i, :2], boxes[j, :2]),
                    torch.minimum(boxes[i, 2:], boxes[j, 2:]),
                )
                shared = (high - low).clamp(min=0).prod()
                areas = (boxes[[i, j], 2:] - boxes[[i, j], :2]).prod(1).sum()
                if shared > overlap * (areas - shared):
                    break
        else:
            kept.append(i)
    return sorted(kept)


@pytest.mark.parametrize("groups", [1, 7, 60])
def test_suppression_is_the_greedy_loop(groups: int) -> None:
    generator = torch.Generator().manual_seed(groups)
    corner = torch.rand(150, 2, generator=generator) * 40
    boxes = torch.cat([corner, corner + 5 + 20 * torch.rand(150, 2, generator=generator)], 1)
    scores = torch.rand(150, generator=generator)
    group = torch.randint(groups, (150,), generator=generator) ** 2  # of unlike sizes, with gaps
    kept = batched_nms(boxes, scores, group, overlap=0.4).tolist()
    assert sorted(kept) == _greedy(boxes, scores, group, 0.4)
    assert kept == sorted(kept, key=lambda i: (int(group[i]), -float(scores[i])))
    order = scores.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    _, counts = torch.unique_consecutive(group[order], return_counts=True)
    assert nms._all_together(boxes, order, counts, 0.4).tolist() == kept  # as on a GPU


def test_proposals_are_the_same_whatever_the_layout() -> None:
    """To the last bit: a row of channels innermost is the plain network's."""
    net, pictures = mtcnn.ProposalNet(), rand(2, 3, 61, 47, seed=1) * 2 - 1
    features = pictures
    for layer in net.features:
        plain = F.prelu(features, layer.weight) if isinstance(layer, torch.nn.PReLU) else layer(features)
        features = plain.contiguous()
    probability, corrections = net(pictures)
    torch.testing.assert_close(probability, net.face(features).softmax(1)[:, 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(corrections, net.box(features), atol=1e-6, rtol=0)


def test_duplicates() -> None:
    points = ((0.0, 0.0),) * 5
    face = Face((0, 0, 100, 100), 0.95, points)
    shifted = Face((10, 5, 108, 104), 0.97, points)
    eye = Face((20, 30, 45, 50), 0.99, points)
    neighbour = Face((90, 0, 190, 100), 0.9, points)
    assert drop_duplicates([face, eye, neighbour, shifted]) == [shifted, neighbour]
    assert drop_duplicates([eye, face]) == [face]
    assert drop_duplicates([]) == []


def test_largest_boxes_of_a_set(astronaut_uint8: np.ndarray, detector: FaceDetector) -> None:
    picture = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None]
    nothing = torch.full_like(picture, 90)
    boxes, found = largest_face_boxes(torch.cat([picture, nothing, picture]), detector, batch=2)
    assert found.tolist() == [True, False, True]
    assert boxes[1].tolist() == [0, 0, 512, 512]
    torch.testing.assert_close(boxes[0], boxes[2], atol=0.01, rtol=0)
    assert boxes.dtype == torch.float32
    # Close to the rim the box is clipped.
    cut, _ = largest_face_boxes(picture[..., 68:200, 185:300], detector)
    assert cut.min() >= 0
    assert (cut <= torch.tensor([115.0, 132.0, 115.0, 132.0])).all()
    with pytest.raises(TypeError, match="uint8"):
        largest_face_boxes(picture.float(), detector)


def test_aligned_faces_are_all_found(shared_data: Callable[[str], Path], detector: FaceDetector) -> None:
    pictures: list[Tensor] = []
    with tarfile.open(shared_data("faces256-val.tar")) as tar:
        for member in [member for member in tar.getmembers() if member.isfile()]:
            data = tar.extractfile(member)
            assert data is not None
            pictures.append(from_uint8(decode_rgb8(data.read(), member.name))[0])
    small = F.interpolate(torch.stack(pictures), (128, 128), mode="area")
    boxes, found = largest_face_boxes((small * 255).to(torch.uint8), detector)
    assert found.all()
    assert (boxes.mean(0) - torch.tensor([28.2, 24.5, 96.4, 116.3])).abs().max() < 1.5


def test_damaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mtcnn._SHA256, "rnet", "0" * 64)
    with pytest.raises(AssetMissing, match=r"rnet\.lz4.*reinstall"):
        mtcnn.RefineNet()


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetMissing, match="pip install mtcnn"):
        mtcnn.ProposalNet()


def test_needs_no_tensorflow() -> None:
    program = (
        "import sys; sys.modules['tensorflow'] = None;"
        "from lumiface.faces.detectors.detect import FaceDetector; FaceDetector();"
        "assert 'mtcnn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("size", [(5, 7), (4, 6), (1, 3), (2, 1), (101, 64)])
def test_halving_is_max_pooling(size: tuple[int, int]) -> None:
    pictures = rand(2, 10, *size) - 0.5
    expected = F.max_pool2d(pictures, 2, 2, ceil_mode=True)
    for layout in (torch.contiguous_format, torch.channels_last):
        assert torch.equal(HalvingPool()(pictures.contiguous(memory_format=layout)), expected)
