"""The kinds of files: known by their content, read whole, written when asked."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from lumiface.core.errors import InputError, OutputError
from lumiface.imaging.codec import heif, raw
from lumiface.imaging.codec.formats import FORMAT_OF_SUFFIX, RAW_SUFFIXES, UNREAD_SUFFIXES, WRITABLE, sniff
from lumiface.imaging.codec.quiet import quiet_stderr
from lumiface.imaging.frames import PictureWriter, holds_all, read_pictures
from lumiface.imaging.io import ImageInfo, Picture, read_picture, write_picture
from lumiface.imaging.quantize import from_uint8

ONE_PER_FORMAT = {WRITABLE[format_].suffix: format_ for format_ in WRITABLE}


def frames(count: int = 3, size: tuple[int, int] = (40, 32)) -> list[np.ndarray]:
    """Pictures (H, W, 3) that are easily told apart: each with one bright column of its own."""
    pictures = [np.full((size[1], size[0], 3), 40, np.uint8) for _ in range(count)]
    for number, picture in enumerate(pictures):
        picture[:, 8 * number : 8 * number + 8] = 220
    return pictures


def bright_column(picture: Picture) -> int:
    return int(picture.rgb[0].mean(dim=(0, 1)).argmax()) // (8 * picture.rgb.shape[-1] // 40)


def save_frames(path: Path, **options: object) -> None:
    first, *rest = (Image.fromarray(frame) for frame in frames())
    timing = {} if path.suffix.startswith(".tif") else {"duration": [100, 200, 300], "loop": 0}
    first.save(path, save_all=True, append_images=rest, **timing, **options)


# --- Known by content ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMAT_OF_SUFFIX)
def test_every_name_is_written_and_read_in_its_format(tmp_path, suffix, astronaut):
    part = Picture(astronaut[..., 60:160, 60:180].contiguous())
    for name in (f"x{suffix}", f"Y{suffix.upper()}"):
        write_picture(part, tmp_path / name, quality=100)
        read = read_picture(tmp_path / name)
        assert read.info.format == FORMAT_OF_SUFFIX[suffix]
        assert sniff((tmp_path / name).read_bytes()) == FORMAT_OF_SUFFIX[suffix]
        tolerance = 0.03 if suffix == ".gif" else 0.004
        assert float((read.rgb - part.rgb).abs().mean()) < tolerance


@pytest.mark.parametrize("suffix", ONE_PER_FORMAT)
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif", "x", "x.2024", "x.heic"])
def test_a_wrong_name_does_not_matter(tmp_path, suffix, name):
    write_picture(Picture(from_uint8(frames()[1])), tmp_path / f"right{suffix}")
    (tmp_path / name).write_bytes((tmp_path / f"right{suffix}").read_bytes())
    assert read_picture(tmp_path / name).info.format == ONE_PER_FORMAT[suffix]


def test_the_lists_of_endings_do_not_overlap():
    assert not set(FORMAT_OF_SUFFIX) & (RAW_SUFFIXES | UNREAD_SUFFIXES)
    assert not RAW_SUFFIXES & UNREAD_SUFFIXES


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"\0\0\0\x18ftypmp42\0\0\0\0", b"<svg/>", b"PK\3\4"])
def test_what_is_no_picture_is_not_taken_for_one(content):
    assert sniff(content + bytes(40)) is None


# --- Several pictures in one file ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif", ".tif"])
def test_all_pictures_are_read_in_order_and_written_again(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    save_frames(path, **({"lossless": True} if suffix == ".webp" else {}))
    file = read_pictures(path)
    assert file.count == 3
    assert holds_all(file, tmp_path / f"out{suffix}")
    writer = PictureWriter(tmp_path / f"out{suffix}", file.count, quality=100)
    durations = []
    for number, picture in enumerate(file.pictures):
        assert bright_column(picture) == number
        durations.append(picture.info.timing and picture.info.timing.milliseconds)
        writer.add(picture)
    writer.close()
    if suffix != ".tif":
        assert durations == [100, 200, 300]
    again = read_pictures(tmp_path / f"out{suffix}")
    assert again.count == 3
    for number, picture in enumerate(again.pictures):
        assert bright_column(picture) == number
        if suffix != ".tif":
            assert picture.info.timing is not None
            assert picture.info.timing.milliseconds == durations[number]
    assert read_picture(path).info.remarks == (f"first of 3 {file.kind} kept",)


@pytest.mark.parametrize("loop", [None, 0, 3])
def test_an_animation_is_repeated_as_often_as_before(tmp_path, loop):
    first, *rest = (Image.fromarray(frame) for frame in frames())
    options = {} if loop is None else {"loop": loop}
    first.save(tmp_path / "x.gif", save_all=True, append_images=rest, duration=100, **options)
    writer = PictureWriter(tmp_path / "out.gif", 3)
    for picture in read_pictures(tmp_path / "x.gif").pictures:
        writer.add(picture)
    writer.close()
    assert Image.open(tmp_path / "out.gif").info.get("loop") == loop


def test_pages_of_all_kinds_keep_their_own_size_depth_and_colour(tmp_path):
    writer = PictureWriter(tmp_path / "x.tif", 4)
    rng = torch.Generator().manual_seed(0)
    kinds = [(8, False, None), (16, False, None), (16, True, None), (8, False, torch.rand(1, 1, 9, 8))]
    pages = []
    for bits, grey, alpha in kinds:
        height, width = (9, 8) if alpha is not None else (7 + len(pages), 12)
        rgb = torch.rand(1, 1 if grey else 3, height, width, generator=rng).expand(-1, 3, -1, -1)
        alpha = None if alpha is None else alpha.clamp(min=0.2)
        pages.append(Picture(rgb, alpha, ImageInfo("TIFF", bits, grey)))
        writer.add(pages[-1])
    writer.close()
    for before, after in zip(pages, read_pictures(tmp_path / "x.tif").pictures, strict=True):
        assert (after.info.bits, after.info.grey) == (before.info.bits, before.info.grey)
        assert float((after.rgb - before.rgb).abs().max()) <= 0.51 / (2**before.info.bits - 1)
        assert (after.alpha is None) == (before.alpha is None)
    shown = [page.size for page in _pages_for_pillow(tmp_path / "x.tif")]
    assert shown == [(12, 7), (12, 8), (12, 9), (8, 9)]


def _pages_for_pillow(path: Path) -> list[Image.Image]:
    picture = Image.open(path)
    pages = []
    for number in range(picture.n_frames):
        picture.seek(number)
        pages.append(
            picture.copy() if number != 1 else Image.new("L", picture.size)
        )  # 16-bit colour: not his
    return pages


def test_thumbnails_among_the_pages_are_no_pages(tmp_path):
    small = Image.fromarray(frames()[0]).resize((10, 8))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(frames()[1]).save(tmp_path / "x.tif", save_all=True, append_images=[small])
    file = read_pictures(tmp_path / "x.tif")
    assert file.count == 1
    assert [bright_column(picture) for picture in file.pictures] == [1]


def test_frames_do_not_go_where_there_are_none(tmp_path):
    save_frames(tmp_path / "x.gif")
    save_frames(tmp_path / "x.tif")
    gif, pages = read_pictures(tmp_path / "x.gif"), read_pictures(tmp_path / "x.tif")
    goes = [holds_all(gif, tmp_path / f"x{suffix}") for suffix in (".webp", ".png", ".avif", ".jpg", ".tif")]
    assert goes == [True, True, True, False, False]
    assert not holds_all(pages, tmp_path / "x.png")


def test_a_damaged_frame_is_named(tmp_path):
    save_frames(tmp_path / "x.tif")
    data = (tmp_path / "x.tif").read_bytes()
    (tmp_path / "x.tif").write_bytes(data[: len(data) - 200])
    with pytest.raises(InputError, match=r"x\.tif"):
        list(read_pictures(tmp_path / "x.tif").pictures)


# --- HEIC, RAW, 16-bit CMYK ---------------------------------------------------------------------------------


def test_heic_keeps_ten_bits(tmp_path):
    pytest.importorskip("pillow_heif")
    ramp = torch.linspace(0, 1, 256).view(1, 1, 1, 256).expand(1, 3, 64, 256)
    write_picture(Picture(ramp, None, ImageInfo(bits=16)), tmp_path / "x.heic", quality=100)
    read = read_picture(tmp_path / "x.heic")
    assert read.info.bits == 16
    assert float((read.rgb - ramp).abs().mean()) < 1 / 1023


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_upright(tmp_path, orientation):
    library = pytest.importorskip("pillow_heif")
    stored = Image.fromarray(frames(1)[0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    library.from_pillow(stored).save(tmp_path / "x.heic", exif=exif.tobytes(), quality=-1)
    stored.getexif()[0x0112] = orientation
    shown = library.open_heif(tmp_path / "x.heic").to_pillow()
    read = read_picture(tmp_path / "x.heic")
    assert tuple(read.rgb.shape[:1:-1]) == shown.size
    assert float((read.rgb - from_uint8(np.asarray(shown))).abs().mean()) < 0.01
    write_picture(read, tmp_path / "out.heic", quality=100)
    assert read_picture(tmp_path / "out.heic").rgb.shape == read.rgb.shape


def test_without_the_libraries_one_line_says_what_to_install(tmp_path, monkeypatch):
    def missing() -> None:
        raise ImportError

    write_picture(Picture(torch.rand(1, 3, 16, 16)), tmp_path / "x.heic")
    dng(tmp_path / "x.dng")
    monkeypatch.setattr(heif, "_library", missing)
    monkeypatch.setattr(raw, "_library", missing)
    with pytest.raises(InputError, match=r"x\.heic is a HEIC picture, .* pip install \"lumiface\[heif\]\""):
        read_picture(tmp_path / "x.heic")
    with pytest.raises(InputError, match=r'x\.dng is camera RAW, .* pip install "lumiface\[raw\]"'):
        read_picture(tmp_path / "x.dng")
    with pytest.raises(OutputError, match="HEIC needs pillow-heif"):
        write_picture(Picture(torch.rand(1, 3, 16, 16)), tmp_path / "y.heic")


def dng(path: Path, light: float = 0.18) -> None:
    """A smallest camera RAW file: Bayer samples of an even grey under a warm lamp, with its white balance."""
    height, width, white = 64, 96, 4095
    gains = {0: 0.8, 1: 1.0, 2: 0.5}  # what the lamp leaves of red, green, blue
    pattern = np.array([[0, 1], [1, 2]])
    share = np.vectorize(gains.get)(np.tile(pattern, (height // 2, width // 2)))
    samples = (share * light * white).astype("<u2")
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    tags: dict[int, object] = {
        254: 0, 256: width, 257: height, 258: 16, 259: 1, 262: 32803, 271: "Lumiere", 272: "One", 274: 1,
        277: 1, 278: height, 279: samples.nbytes, 284: 1, 33421: (2, 2), 33422: bytes([0, 1, 1, 2]),
        50706: bytes([1, 4, 0, 0]), 50707: bytes([1, 1, 0, 0]), 50708: "Lumiere One", 50714: 0, 50717: white,
    }  # fmt: skip
    for tag, value in tags.items():
        if tag == 33421:
            directory.tagtype[tag] = 3
        if tag in (33422, 50706, 50707):
            directory.tagtype[tag] = 1
        directory[tag] = value
    directory.tagtype[50721], directory.tagtype[50728], directory.tagtype[50778] = 10, 5, 3
    matrix = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
    directory[50721] = matrix
    directory[50728] = tuple(gains.values())
    directory[50778] = 21  # D65
    directory[273] = 0
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directory.tobytes(8) + samples.tobytes())


@pytest.mark.parametrize("light", [0.05, 0.18, 0.5])
def test_raw_is_developed_by_the_cameras_white_balance_without_brightening(tmp_path, light):
    pytest.importorskip("rawpy", reason="rawpy is not installed: pip install 'lumiface[raw]'")
    dng(tmp_path / "x.dng", light)
    read = read_picture(tmp_path / "x.dng")
    assert (read.info.format, read.info.bits) == ("RAW", 16)
    centre = read.rgb[0, :, 16:-16, 16:-16].mean(dim=(1, 2))
    assert float(centre.max() - centre.min()) < 0.02  # the lamp's colour is gone
    encoded = 1.055 * light ** (1 / 2.4) - 0.055
    # LibRaw scales by the smallest or the largest gain of the white balance; nothing else is brightened.
    assert 0.8 * encoded < float(centre.mean()) < 1.45 * encoded
    assert read.info.exif is not None
    assert b"Lumiere" in read.info.exif


def test_16_bit_cmyk_is_read(tmp_path):
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    samples = np.zeros((8, 8, 4), "<u2")
    samples[..., 0] = 65535  # cyan
    for tag, value in {
        256: 8, 257: 8, 258: (16,) * 4, 259: 1, 262: 5, 273: 0, 277: 4, 278: 8, 279: samples.nbytes,
    }.items():  # fmt: skip
        directory[tag] = value
    (tmp_path / "x.tif").write_bytes(b"II*\0\x08\0\0\0" + directory.tobytes(8) + samples.tobytes())
    assert read_picture(tmp_path / "x.tif").rgb[0, :, 4, 4].tolist() == pytest.approx([0, 1, 1], abs=0.02)


def test_opencv_says_nothing_on_stderr(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 65536, (50, 60, 3), dtype=np.uint16)
    for suffix in (".png", ".tif"):
        data = cv2.imencode(suffix, noise)[1].tobytes()
        for cut in (0.5, 0.9):
            (tmp_path / "x").write_bytes(data[: int(len(data) * cut)])
            with pytest.raises(InputError):
                read_picture(tmp_path / "x")
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_silence_of_threads_that_overlap_ends(capfd):
    first, second = quiet_stderr(), quiet_stderr()
    first.__enter__()
    second.__enter__()
    os.write(2, b"hidden")
    first.__exit__(None, None, None)
    os.write(2, b"hidden, too")
    second.__exit__(None, None, None)
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_a_stereo_pair_is_said(tmp_path):
    out = io.BytesIO()
    Image.fromarray(frames()[0]).save(out, "MPO", save_all=True, append_images=[Image.fromarray(frames()[1])])
    (tmp_path / "x.mpo").write_bytes(out.getvalue())
    read = read_picture(tmp_path / "x.mpo")
    assert bright_column(read) == 0
    assert "the first picture of the stereo pair is kept" in read.info.remarks
