"""Identity on real faces: who is who, whatever the light, size or side; and the alignment behind it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.blocks.mobilefacenet import MobileFaceNet
from lumiface.core import assets
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.data.sources import open_source
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8
from lumiface.metrics.identity import _ARCFACE, Identity, identity_similarity
from lumiface.metrics.landmarks import TargetFaces, find_target_faces

BACKBONES = ("edgeface", "mobilefacenet")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(min_face=76.0)


@pytest.fixture(scope="module")
def faces(shared_data) -> Tensor:
    """(10, 3, 256, 256): ten people."""
    source = open_source(shared_data("faces256-test.tar")).first(10)
    return torch.cat([from_uint8(decode_rgb8(data, name)) for name, data in source.items()])


@pytest.fixture(scope="module")
def found(faces: Tensor, detector: FaceDetector) -> TargetFaces:
    return find_target_faces(faces, detector)


@pytest.fixture(params=BACKBONES)
def identity(request, shared_asset, monkeypatch: pytest.MonkeyPatch) -> Identity:
    file = {"edgeface": "edgeface_xxs.pt", "mobilefacenet": "mobilefacenet.pt"}[request.param]
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset(file).parent))
    if request.param == "edgeface":
        pytest.importorskip("timm")
    return Identity(request.param)


def test_different_people_differ_and_one_person_is_recognised(
    identity: Identity, faces: Tensor, found: TargetFaces, detector: FaceDetector
) -> None:
    assert len(found.index) == 10
    own = identity_similarity(faces, faces, found, identity)
    torch.testing.assert_close(own, torch.ones(10))
    others = torch.stack([identity_similarity(faces.roll(k, 0), faces, found, identity) for k in (1, 3, 5)])
    assert others.mean() < 0.1
    assert others.max() < 0.5
    dark = faces**2 * 0.5
    assert identity_similarity(dark, faces, found, identity).mean() > 0.8
    small = F.interpolate(faces, (64, 64), mode="bicubic", antialias=True)
    tiny = F.interpolate(faces, (24, 24), mode="bicubic", antialias=True)
    enlarged = [F.interpolate(p, (256, 256), mode="bicubic").clamp(0, 1) for p in (small, tiny)]
    mild, strong = (identity_similarity(p, faces, found, identity).mean() for p in enlarged)
    assert 0.85 < mild < 1.0
    assert others.mean() < strong < mild - 0.2
    # The mirrored picture has landmarks of its own.
    mirrored = find_target_faces(faces[:4].flip(3), detector)
    flipped = identity(faces[:4].flip(3), mirrored.index, mirrored.points)
    original = identity(faces, found.index[mirrored.index], found.points[mirrored.index])
    assert (flipped * original).sum(1).min() > 0.85


def test_the_size_of_the_picture_does_not_matter(
    identity: Identity, faces: Tensor, found: TargetFaces
) -> None:
    large = F.interpolate(faces[:4], (384, 384), mode="bicubic", align_corners=False).clamp(0, 1)
    resized = identity(large, found.index[:4], found.points[:4] * 1.5)
    original = identity(faces, found.index[:4], found.points[:4])
    assert (resized * original).sum(1).min() > 0.98
    assert torch.linalg.vector_norm(resized, dim=1).sub(1).abs().max() < 1e-5


def test_targets_without_a_face_are_nan_and_gradients_reach_the_output(
    identity: Identity, faces: Tensor, found: TargetFaces, detector: FaceDetector
) -> None:
    targets = torch.cat([faces[:1], torch.full_like(faces[:1], 0.5)])
    target_faces = find_target_faces(targets, detector)
    outputs = (targets * 0.8).requires_grad_()
    cosines = identity_similarity(outputs, targets, target_faces, identity)
    assert cosines.isnan().tolist() == [False, True]
    cosines[0].backward()
    assert outputs.grad is not None
    assert outputs.grad[0].abs().sum() > 0
    assert outputs.grad.isfinite().all()
    no_faces = find_target_faces(targets[1:], detector)
    assert identity_similarity(outputs[1:], targets[1:], no_faces, identity).isnan().all()
    with pytest.raises(ValueError, match="detected in"):
        identity_similarity(outputs[:1], targets[:1], target_faces, identity)


def test_landmarks_land_on_the_template(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    # A picture whose red is x and whose green is y, in pixels: the crop says where each place came from.
    y, x = torch.meshgrid(torch.arange(200) + 0.5, torch.arange(160) + 0.5, indexing="ij")
    picture = torch.stack([x, y, torch.zeros_like(x)])[None] / 200
    turn = torch.tensor([[0.8, -0.3], [0.3, 0.8]])
    points = (torch.tensor(_ARCFACE) + 0.5) @ turn.mT + torch.tensor([40.0, 25.0])
    crops_of: list[Tensor] = []
    monkeypatch.setattr(identity, "embed", lambda crops: crops_of.append(crops) or crops.flatten(1))
    identity(picture, torch.tensor([0]), points[None])
    for (column, row), place in zip(_ARCFACE, points, strict=True):
        at = crops_of[0][0, :2, round(row), round(column)] * 200
        within = turn @ torch.tensor([round(column) - column, round(row) - row])
        torch.testing.assert_close(at, place + within, atol=0.2, rtol=0)


def test_mobilefacenet_has_the_published_size() -> None:
    network = MobileFaceNet().eval()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(1.0e6, rel=0.02)  # table 1: 0.99 M
    assert network.features(torch.zeros(1, 64, 56, 56)).shape == (1, 128, 7, 7)
    assert network(torch.zeros(2, 3, 112, 112)).shape == (2, 128)


def test_errors(shared_asset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("edgeface_xxs.pt").parent))
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(AssetMissing, match="timm"):
        Identity("edgeface")
    with pytest.raises(ValueError, match="112"):
        Identity("mobilefacenet").embed(torch.zeros(1, 3, 96, 112))
    with pytest.raises(SettingError, match="edgeface"):
        Identity("arcface")  # type: ignore[arg-type]
    monkeypatch.setenv("LUMIFACE_ASSETS", str(tmp_path))
    monkeypatch.setattr(assets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(AssetMissing, match=r"edgeface_xxs\.pt"):
        Identity("edgeface")
