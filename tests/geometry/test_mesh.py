"""Meshes on disk: the canonical face, landmarks of many faces, one-line errors for damaged files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lumiface.core.errors import InputError
from lumiface.geometry.mesh import (
    CENTIMETRES_PER_UNIT,
    MAX_PIXELS,
    FaceMeshes,
    canonical_face,
    read_obj,
)

Find = Callable[[str], Path]

SQUARE = """# a square, cut into two
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0.5
vt 0.5 0.5
f 1/1 2/1/1 3//1 4
"""


def test_an_obj_is_read_and_its_polygons_are_triangulated(tmp_path: Path) -> None:
    (tmp_path / "square.obj").write_text(SQUARE + "f -4 -3 -2\n")
    mesh = read_obj(tmp_path / "square.obj")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]]
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"v 1 2\nf 1 1 1\n", "not a readable .obj"),
        (b"v one two three\n", "not a readable .obj"),
        (b"\xff\xfe\x00", "not a readable .obj"),
        (b"v 0 0 0\nv 0 0 1\n", "0 triangles"),
        (b"v 0 0 0\nv 0 0 1\nf 1 2 3\n", "do not form a mesh"),
        (b"", "empty"),
    ],
)
def test_damaged_obj_files_give_a_one_line_error(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bad.obj").write_bytes(content)
    with pytest.raises(InputError, match=reason) as error:
        read_obj(tmp_path / "bad.obj")
    assert "bad.obj" in str(error.value)
    assert "\n" not in str(error.value)


def test_another_mesh_is_refused_as_a_face(tmp_path: Path) -> None:
    (tmp_path / "square.obj").write_text(SQUARE)
    with pytest.raises(InputError, match="4 vertices, not 468"):
        canonical_face(tmp_path / "square.obj")


def test_the_canonical_face_follows_the_world_convention(shared_asset: Find) -> None:
    face = canonical_face(shared_asset("canonical_face_model.obj"))
    assert face.vertices.shape == (468, 3)
    assert face.triangles.shape == (898, 3)
    assert face.vertices.abs().max() < 0.5
    # Its own file: the nose's tip and the outer corner of the person's right eye, in centimetres.
    tip = face.vertices[4] * CENTIMETRES_PER_UNIT
    torch.testing.assert_close(tip, torch.tensor([0.0, -0.463170, 7.586580]))
    assert face.vertices[:, 2].argmax() == 4
    assert face.vertices[33, 0] < 0 < face.vertices[263, 0]
    assert face.vertices[152, 1] < face.vertices[13, 1] < face.vertices[10, 1]  # chin, lip, forehead
    # One sheet without holes: Euler's number of a disc is 1.
    edges = face.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).sort(dim=1).values.unique(dim=0)
    assert 468 - len(edges) + 898 == 1


def some_points(faces: int = 3) -> torch.Tensor:
    return torch.rand(faces, 468, 3, generator=torch.Generator().manual_seed(0)) * 256 - 20


def test_landmarks_are_written_and_read(tmp_path: Path) -> None:
    points = some_points()
    FaceMeshes(["a", "b", "c"], points, torch.tensor([1.0, 0.0, 0.5])).write(tmp_path / "sub" / "m.npz")
    meshes = FaceMeshes.read(tmp_path / "sub" / "m.npz")
    assert list(meshes) == ["a", "c"]
    assert meshes.missed == ("b",)
    assert meshes.presence("c") == 0.5
    assert meshes["c"].dtype == torch.float32
    assert (meshes["c"] - points[2]).abs().max() <= 1 / 32
    assert torch.equal(meshes.stack(), torch.stack([meshes["a"], meshes["c"]]))
    assert torch.equal(meshes.stack(["c"])[0], meshes["c"])
    with pytest.raises(KeyError):
        meshes["b"]


def test_an_empty_file_is_valid(tmp_path: Path) -> None:
    FaceMeshes([], torch.zeros(0, 468, 3), torch.zeros(0)).write(tmp_path / "none.npz")
    assert len(FaceMeshes.read(tmp_path / "none.npz")) == 0


def test_coordinates_beyond_the_format_are_refused(tmp_path: Path) -> None:
    points = some_points(1)
    points[0, 0, 0] = MAX_PIXELS + 1
    with pytest.raises(InputError, match=f"beyond {MAX_PIXELS} pixels"):
        FaceMeshes(["a"], points, torch.ones(1)).write(tmp_path / "far.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "shape"), [(["a", "a"], (2, 468, 3)), (["a"], (2, 468, 3)), (["a"], (1, 478, 3))]
)
def test_mismatched_names_and_shapes_are_refused(names: list[str], shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        FaceMeshes(names, torch.zeros(shape), torch.ones(shape[0]))


def packed(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


VALID = {
    "names": np.array(["a"]),
    "points": np.zeros((1, 468, 3), np.int16),
    "presence": np.ones(1, np.float16),
}


@pytest.mark.parametrize(
    "content",
    [
        b"not a zip",
        packed(**VALID)[:200],
        packed(names=VALID["names"], points=VALID["points"]),
        packed(**{**VALID, "points": np.zeros((1, 468, 3), np.float32)}),
        packed(**{**VALID, "points": np.zeros((2, 468, 3), np.int16)}),
        packed(**{**VALID, "names": np.array([None])}),
    ],
    ids=["text", "cut off", "no presence", "floats", "two faces, one name", "pickled"],
)
def test_a_damaged_file_gives_a_one_line_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.npz does not hold face landmarks") as error:
        FaceMeshes.read(tmp_path / "bad.npz")
    assert "\n" not in str(error.value)


def test_the_file_of_real_faces(shared_data: Find) -> None:
    meshes = FaceMeshes.read(shared_data("faces256-val-mesh468.npz"))
    assert len(meshes) == 100
    points = meshes.stack()
    assert points[:, :, :2].min() > 0
    assert points[:, :, :2].max() < 256
    assert (points[:, 33, 0] < points[:, 263, 0]).all()  # the person's right eye is on the left
    assert (points[:, 4, 2] < points[:, [234, 454], 2].amin(dim=1)).all()  # the nose is nearest
