"""Packs of faces: round trip, order, names, size limit, damage, and training from one."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import InputError, SettingError
from lumiface.core.parallel import ordered_map
from lumiface.data.pack_file import read_index, write_pack
from lumiface.data.sources import open_source
from lumiface.data.training.face_tensor import load_face_tensor, read_square_faces
from lumiface.data.training.pack import PackReport, pack_faces
from lumiface.imaging.io import decode_rgb8, read_picture

MIB = 2**20


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, astronaut_uint8: np.ndarray) -> Path:
    """A folder of ten crops, eight of 96 pixels and two of 64, one of them in a folder of its own."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "more").mkdir()
    for number in range(10):
        crop = Image.fromarray(astronaut_uint8[20 + 4 * number :, 140 + 6 * number :][:160, :160])
        name = "more/ä.png" if number == 9 else f"{number}.png"
        crop.resize((96, 96) if number < 8 else (64, 64)).save(folder / name)
    return folder


def quiet_pack(faces: Path, path: Path, **settings: object) -> PackReport:
    options = {"max_bytes": MIB} | settings
    return pack_faces([faces], path, log=lambda line: None, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["avif", "webp"])
def pack(request: pytest.FixtureRequest, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packs") / f"{request.param}.pack"
    report = quiet_pack(faces, path, picture_format=request.param)
    assert report.faces == 10
    assert report.size == path.stat().st_size
    assert report.quality == 95
    assert report.psnr > 36
    return path


def test_a_pack_is_read_like_a_folder(faces: Path, pack: Path) -> None:
    source, originals = open_source(pack), open_source(faces)
    assert source.names == originals.names
    for index, name in enumerate(source.names):
        packed, original = decode_rgb8(source.read(index), name), decode_rgb8(originals.read(index), name)
        assert packed.shape == original.shape
        assert np.abs(packed.astype(int) - original).mean() < 4
    assert read_index(pack).quality == 95
    mixed = open_source([pack, faces / "0.png"])
    assert mixed.names == (*originals.names, "0.png")
    names = [name for name, _ in read_square_faces([pack], same_size=False, names={"more/ä.png", "3.png"})]
    assert names == ["3.png", "more/ä.png"]


def test_a_pack_of_a_pack_keeps_names_and_faces(pack: Path, tmp_path: Path) -> None:
    report = quiet_pack(pack, tmp_path / "again.pack")
    assert report.psnr > 36
    assert open_source(tmp_path / "again.pack").names == open_source(pack).names


def test_large_faces_are_reduced(faces: Path, tmp_path: Path) -> None:
    quiet_pack(faces, tmp_path / "small.pack", side=64)
    assert load_face_tensor([tmp_path / "small.pack"]).shape == (10, 3, 64, 64)


def test_the_result_does_not_depend_on_the_number_of_threads(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workers in (1, 5):
        quiet_pack(faces, tmp_path / f"{workers}.pack", workers=workers, side=64)
    assert (tmp_path / "1.pack").read_bytes() == (tmp_path / "5.pack").read_bytes()
    decoded: list[torch.Tensor] = []
    for workers in (1, 5):
        monkeypatch.setattr("lumiface.core.parallel.cpu_cores", lambda number=workers: number)
        decoded.append(load_face_tensor([tmp_path / "1.pack"]))
    assert torch.equal(*decoded)


@pytest.mark.parametrize("kib", [12, 18, 30])
def test_the_size_is_kept_at_the_highest_quality(
    faces: Path, tmp_path: Path, kib: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumiface.data.training.pack._SAMPLE", 2)  # which promises too little at times
    lines: list[str] = []
    path = tmp_path / "x.pack"
    report = pack_faces([faces], path, max_bytes=kib * 1024, log=lines.append)
    assert kib * 1024 * 0.8 < path.stat().st_size <= kib * 1024
    assert lines[-1].endswith(f"10 faces at quality {report.quality}")


def test_what_cannot_fit_is_refused_and_nothing_is_written(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"10 faces do not fit in .* raise --max-mib, lower --side"):
        quiet_pack(faces, tmp_path / "x.pack", max_bytes=2000)
    assert list(tmp_path.iterdir()) == []


def test_only_square_faces_are_packed(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match=r"wide\.png is 40x30; a pack holds square faces"):
        quiet_pack(tmp_path, tmp_path / "x.pack")


def test_damage_is_one_clear_line(pack: Path, tmp_path: Path) -> None:
    data, path = pack.read_bytes(), tmp_path / "bad.pack"
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    for damaged in (data[:10], data[:100], data[:-1], data + b"x", changed):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"bad\.pack is a damaged or truncated pack; copy it again"):
            open_source(path)
    path.write_bytes(data[:8] + struct.pack("<I", 2) + data[12:])
    with pytest.raises(InputError, match=r"bad\.pack is a pack of version 2.*update lumiface"):
        open_source(path)


def test_an_index_that_contradicts_itself_is_damage(tmp_path: Path) -> None:
    for text in (
        b"[]",
        b'{"format":"avif"}',
        b'{"format":"avif","quality":5,"names":["a"],"offsets":[0,9]}',
        b'{"format":"avif","quality":5,"names":["a","b"],"offsets":[0,5,5]}',
    ):
        content = text + b"12345"
        prefix = struct.pack("<8sIII", b"lumipack", 1, len(text), zlib.crc32(content))
        (tmp_path / "bad.pack").write_bytes(prefix + content)
        with pytest.raises(InputError, match="damaged or truncated pack"):
            open_source(tmp_path / "bad.pack")


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (32, 32)).save(out, format="AVIF")
    write_pack(tmp_path / "x.pack", "avif", 50, ["a.png", "b.png"], [out.getvalue(), out.getvalue()[:-30]])
    with pytest.raises(InputError, match=r"b\.png cannot be read"):
        list(read_square_faces([tmp_path / "x.pack"]))


def test_a_photograph_in_avif_is_turned_upright_and_a_packs_is_not(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (32, 16)).save(tmp_path / "x.avif", exif=exif.tobytes())
    assert read_picture(tmp_path / "x.avif").rgb.shape == (1, 3, 32, 16)
    assert decode_rgb8((tmp_path / "x.avif").read_bytes(), "x").shape == (16, 32, 3)


def test_the_command_reports_faces_size_and_psnr(faces: Path, tmp_path: Path) -> None:
    words = [
        "pack-faces",
        str(faces),
        "-o",
        str(tmp_path / "x.pack"),
        "--max-mib",
        "0.02",
        "--format",
        "webp",
    ]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("10 faces, 0.0")
    assert "webp quality" in result.stdout
    assert (tmp_path / "x.pack").stat().st_size <= 0.02 * MIB


def test_threads_keep_the_order_and_the_first_error() -> None:
    assert list(ordered_map(lambda number: number**2, range(100), 3)) == [n**2 for n in range(100)]
    assert list(ordered_map(str, [], 3)) == []

    def inverse(number: int) -> float:
        return 1 / (number % 10)

    with pytest.raises(ZeroDivisionError):
        list(ordered_map(inverse, range(5, 40), 4))
    assert next(ordered_map(inverse, range(5, 40), 4)) == 0.2
