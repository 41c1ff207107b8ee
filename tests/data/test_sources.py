from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import pytest

from lumiface.core.errors import InputError
from lumiface.data.sources import open_source

FILES = {"b.jpg": b"bee", "a.PNG": b"ay", "sub/c.webp": b"sea"}
OTHERS = {"notes.txt": b"no", ".hidden.png": b"no", "sub/._c.webp": b"no"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (FILES | OTHERS).items():
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "faces"


def tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_folder_is_read_below_and_sorted(folder):
    source = open_source(folder)
    assert dict(source.items()) == FILES
    assert source.names == ("a.PNG", "b.jpg", "sub/c.webp")
    assert len(source) == 3


def test_tar_keeps_its_own_order_and_drops_the_leading_dot(tmp_path):
    path = tar(tmp_path / "x.tar", {"./b.jpg": b"bee", "notes.txt": b"", "a.png": b"ay", "./._a.png": b"no"})
    assert list(open_source(path).items()) == [("b.jpg", b"bee"), ("a.png", b"ay")]


def test_a_tar_of_a_folder_has_the_folders_names(folder, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(folder, arcname=".")
    assert dict(open_source(tmp_path / "x.tar").items()) == dict(open_source(folder).items())


def test_several_places_and_globs_in_the_given_order(folder, tmp_path):
    tar(tmp_path / "t-01.tar", {"second.jpg": b"2"})
    tar(tmp_path / "t-00.tar", {"first.jpg": b"1"})
    source = open_source([folder / "b.jpg", str(tmp_path / "t-*.tar")])
    assert [data for _, data in source.items()] == [b"bee", b"1", b"2"]
    assert open_source(tmp_path / "t-*.tar").names == ("first.jpg", "second.jpg")


def test_brackets_in_a_name_are_not_a_glob(tmp_path):
    (tmp_path / "me [1].jpg").write_bytes(b"x")
    assert open_source(tmp_path / "me [1].jpg").names == ("me [1].jpg",)


def test_survives_pickling_and_shortening(tmp_path):
    path = tar(tmp_path / "x.tar", FILES)
    source = pickle.loads(pickle.dumps(open_source(path)))
    assert list(source.first(2).items()) == list(FILES.items())[:2]
    assert source[2] == b"sea"
    with pytest.raises(IndexError):
        source[3]


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_tar_is_named_as_such(tmp_path, mode):
    path = tar(tmp_path / "x.tar", FILES, mode)
    with pytest.raises(InputError, match=r"x\.tar is neither .* unpack it"):
        open_source(path)


def test_a_tar_that_is_cut_off_is_refused(tmp_path):
    path = tar(tmp_path / "x.tar", {"a.png": b"1" * 5000})
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"x\.tar"):
        open_source(path)


def test_a_tar_that_shrinks_later_is_refused(tmp_path):
    path = tar(tmp_path / "x.tar", {"a.png": b"1" * 5000})
    source = open_source(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"a\.png is empty or truncated"):
        source.read(0)


@pytest.mark.parametrize(
    ("name", "what"),
    [("absent", "no such file"), ("empty", "no picture found"), ("text.txt", "neither a folder")],
)
def test_nothing_to_read_is_one_clear_line(tmp_path, name, what):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(InputError, match=what) as caught:
        open_source(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_list_is_refused():
    with pytest.raises(InputError, match="an empty list"):
        open_source([])


def test_a_file_that_goes_away_is_refused(folder):
    source = open_source(folder)
    (folder / "a.PNG").unlink()
    with pytest.raises(InputError, match=r"a\.PNG"):
        source.read(0)
