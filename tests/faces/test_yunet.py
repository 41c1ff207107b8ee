"""YuNet: the same crops as with MTCNN's own candidates, faces of all sizes, and where its file is not."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import Find
from lumiface.core import assets
from lumiface.core.errors import AssetMissing, InputError, SettingError
from lumiface.faces.align import TEMPLATE, TEMPLATE_BOX, face_matrix, invert
from lumiface.faces.detectors import yunet
from lumiface.faces.detectors.choice import load_detector
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.detectors.yunet import YuNetDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8

FILE = "yunet_n_dynamic.onnx"


@pytest.fixture(scope="module")
def file(shared_asset: Find) -> Path:
    return Path(shared_asset(FILE))


@pytest.fixture(scope="module")
def detector(file: Path) -> YuNetDetector:
    return YuNetDetector(file)


@pytest.fixture(scope="module")
def aligned(shared_data: Find) -> Tensor:
    """(100, 3, 128, 128): faces aligned as FFHQ."""
    pictures: list[Tensor] = []
    with tarfile.open(shared_data("faces256-val.tar")) as tar:
        for member in [member for member in tar.getmembers() if member.isfile()]:
            data = tar.extractfile(member)
            assert data is not None
            pictures.append(from_uint8(decode_rgb8(data.read(), member.name))[0])
    return F.interpolate(torch.stack(pictures), (128, 128), mode="area")


def _largest(faces: list[Face]) -> Face:
    return max(faces, key=lambda face: face.area)


def _corners(face: Face) -> Tensor:
    """(4, 2): where the corners of the aligned crop lie in the picture."""
    back = invert(face_matrix(face))
    return torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]]).double() @ back[:, :2].T + back[:, 2]


def test_boxes_and_points_mean_what_mtcnn_s_mean(aligned: Tensor, detector: YuNetDetector) -> None:
    faces = [_largest(found) for found in detector(aligned)]
    points = torch.tensor([face.landmarks for face in faces]).mean(0) / 128
    boxes = torch.tensor([face.box for face in faces]).mean(0) / 128
    assert (points - torch.tensor(TEMPLATE)).abs().max() < 0.006
    assert (boxes - torch.tensor(TEMPLATE_BOX)).abs().max() < 0.006


def test_crops_agree_with_mtcnn_s(aligned: Tensor, detector: YuNetDetector) -> None:
    """Distance of the crops' corners, in sides of the crop; two runs of MTCNN on shifted pictures differ by
    about as much."""
    other, apart, shift = FaceDetector(), list[float](), list[Tensor]()
    for picture in aligned[::2]:
        one, two = (find_faces(picture[None], each, which="largest")[0] for each in (detector, other))
        apart.append(float((_corners(one) - _corners(two)).norm(dim=1).mean()) / 128)
        shift.append((torch.tensor(one.landmarks) - torch.tensor(two.landmarks)).mean(0) / 128)
    assert sum(apart) / len(apart) < 0.012
    assert max(apart) < 0.05
    assert torch.stack(shift).mean(0).abs().max() < 0.003


@pytest.mark.parametrize("side", [40, 120, 512, 1400])
def test_faces_of_all_sizes(astronaut: Tensor, detector: YuNetDetector, side: int) -> None:
    """From 16 to 580 pixels: a large face is found in a reduced copy."""
    head = astronaut[..., 20:240, 115:335]
    picture = F.interpolate(head, (side, side), mode="bilinear", antialias=True)
    (face,) = find_faces(picture, detector)
    eyes = torch.tensor([[204.0 - 115, 101 - 20], [247 - 115, 103.5 - 20]]) * side / 220
    assert (torch.tensor(face.landmarks)[:2] - eyes).abs().max() < 0.05 * face.side


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (11, 300), (37, 53), (0, 20)])
def test_tiny_sizes_give_no_face(size: tuple[int, int], detector: YuNetDetector) -> None:
    assert detector(torch.full((2, 3, *size), 0.5)) == [[], []]
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        detector(torch.zeros(size))


def test_a_batch_and_a_copy_give_what_each_picture_gives(astronaut: Tensor, detector: YuNetDetector) -> None:
    pictures = torch.cat([astronaut, torch.zeros_like(astronaut), astronaut.flip(3)])
    copy = pickle.loads(pickle.dumps(detector))
    assert [len(faces) for faces in detector(pictures)] == [1, 0, 1]
    assert copy(pictures) == detector(pictures) == [detector(picture[None])[0] for picture in pictures]


def test_threads_share_nothing(astronaut: Tensor, detector: YuNetDetector) -> None:
    """Pictures of several sizes at once: a network holds the size of its input."""
    pictures = [astronaut[..., : 300 + 30 * number, :] for number in range(6)]
    expected = [detector(picture) for picture in pictures]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            assert list(pool.map(detector, pictures)) == expected


FORKING = """
import os, signal, sys, torch
from pathlib import Path
import cv2
from lumiface.core import forks
from lumiface.faces.detectors.yunet import YuNetDetector
cv2.setNumThreads(2)
detector = YuNetDetector(Path(sys.argv[1]))
picture = torch.load(sys.argv[2])
here = detector(picture)
assert cv2.getNumThreads() == 2
if (child := os.fork()) == 0:
    signal.alarm(60)
    there = detector(picture)
    os._exit(0 if len(here[0]) == 1 and there == here and cv2.getNumThreads() == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
assert cv2.getNumThreads() == 2 and detector(picture) == here
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_finds_the_same(astronaut: Tensor, file: Path, tmp_path: Path) -> None:
    torch.save(astronaut, tmp_path / "picture.pt")
    command = [sys.executable, "-c", FORKING, file, tmp_path / "picture.pt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_opencv_s_remarks_are_not_passed_on(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    yunet._networks.by_path.clear()
    YuNetDetector(file)(torch.zeros(1, 3, 64, 64))
    assert capfd.readouterr() == ("", "")


def test_auto_takes_yunet_where_it_is(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And MTCNN where it is not, is damaged, or cannot be run; it never downloads."""

    def never(*_: object) -> Path:
        raise AssertionError("downloaded")

    monkeypatch.setattr(assets, "_download", never)
    monkeypatch.setattr(assets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("LUMIFACE_ASSETS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert type(load_detector("auto")) is FaceDetector
    with pytest.raises(AssertionError, match="downloaded"):  # as other assets, if asked for by name
        load_detector("yunet")
    shutil.copy(file, tmp_path / FILE)
    assert type(load_detector("auto", min_face=16.0)) is YuNetDetector
    assert load_detector("auto", min_face=16.0).min_face == 16.0
    assert type(load_detector("mtcnn")) is FaceDetector
    yunet._networks.by_path.clear()
    with monkeypatch.context() as patch:
        patch.setattr("cv2.FaceDetectorYN", None)
        assert type(load_detector("auto")) is FaceDetector
        with pytest.raises(SettingError, match="OpenCV"):
            load_detector("yunet")
    (tmp_path / FILE).chmod(0o644)
    (tmp_path / FILE).write_bytes(b"damaged")
    assert type(load_detector("auto")) is FaceDetector
    with pytest.raises((InputError, AssetMissing), match="yunet"):
        load_detector("yunet")


@pytest.mark.parametrize("name", ["face_013.png", "face_092.png", "face_098.jpg"])
def test_a_face_that_fills_a_damaged_photograph_is_found(
    name: str, shared_data: Find, detector: YuNetDetector
) -> None:
    """At full size YuNet's box of these was wrong or missing."""
    with tarfile.open(shared_data("real-degraded.tar")) as tar:
        data = tar.extractfile(name)
        assert data is not None
        rgb = from_uint8(decode_rgb8(data.read(), name))
    (face,) = find_faces(rgb, detector)
    assert 250 < face.side < 350
