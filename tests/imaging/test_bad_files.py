"""Files that cannot be used: each is refused with one line that names it, at once, and never with a crash."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from lumiface.core.errors import InputError
from lumiface.imaging.codec.decode import decode
from lumiface.imaging.io import decode_rgb8, read_picture


def encoded(format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((60, 50)).convert("RGB").save(out, format_, **options)
    return out.getvalue()


def encoded_16(suffix: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 65536, (50, 60, 3), dtype=np.uint16)
    return cv2.imencode(suffix, noise)[1].tobytes()


GOOD = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
    "png": encoded("PNG"),
    "webp": encoded("WEBP"),
    "bmp": encoded("BMP"),
    "tiff": encoded("TIFF"),
    "deflated tiff": encoded("TIFF", compression="tiff_adobe_deflate"),
    "png 16": encoded_16(".png"),
    "tiff 16": encoded_16(".tif"),
}


def refusal(path: Path, **options: float) -> str:
    with pytest.raises(InputError) as caught:
        read_picture(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))


def test_a_bomb_is_refused_by_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(30_000, 30_000))
    start = time.perf_counter()
    message = refusal(tmp_path / "bomb.png")
    assert time.perf_counter() - start < 0.5
    assert "30000×30000 = 900 megapixels, more than the limit of 200" in message
    assert "max_megapixels" in message


def test_the_limit_is_the_callers_and_not_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    (tmp_path / "x.png").write_bytes(GOOD["png"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_picture(tmp_path / "x.png", max_megapixels=0.003)
    assert "more than the limit of 0.0029" in refusal(tmp_path / "x.png", max_megapixels=0.0029)


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_that_is_cut_off_is_refused(tmp_path, kind):
    path = tmp_path / "cut.jpg"
    for fraction in (0.02, 0.3, 0.6, 0.9):
        path.write_bytes(GOOD[kind][: max(8, int(len(GOOD[kind]) * fraction))])
        refusal(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"Dear diary, today I took a photograph.", "is not a picture"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read"),
        (b"\xff\xd8\xff", "cannot be read"),
        (b"GIF89a" + bytes(50), "cannot be read"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "cannot be read"),
        (b"\0\0\0\x18ftypavif" + bytes(50), "cannot be read"),
        (b"8BPS\0\1" + bytes(50), "is a PSD picture, which is not read; save it as PNG"),
    ],
    ids=["empty", "text", "png signature alone", "jpeg signature alone", "gif", "heic", "avif", "psd"],
)
def test_what_is_no_picture_is_refused(tmp_path, content, what):
    path = tmp_path / "party.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what):
        read_picture(path)
    refusal(path)
    with pytest.raises(InputError, match=f"party {what}"):
        decode_rgb8(content, "party")


def test_missing_files_and_folders_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.jpg")
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_of_32_bits_are_refused(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "x.tif")
    assert "save it with 8 or 16 bits" in refusal(tmp_path / "x.tif")


def tiff_16(samples: np.ndarray, **tags: int | tuple[int, ...]) -> bytes:
    """A 2×2 uncompressed TIFF laid out by hand, with tags that the usual writers do not write."""
    channels = samples.size // 4
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    size = {256: 2, 257: 2, 278: 2, 279: samples.nbytes}
    fixed = size | {258: (16,) * channels, 259: 1, 277: channels, 273: 0}
    overrides = {int(name.removeprefix("t")): value for name, value in tags.items()}
    for tag, value in (fixed | overrides).items():
        directory[tag] = value
    return b"II*\0\x08\0\0\0" + directory.tobytes(8) + samples.astype("<u2").tobytes()


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_16_bit_grey_of_either_polarity(white_is_zero):
    levels = np.array([[0, 1000], [40000, 65535]], np.uint16)
    stored = 65535 - levels if white_is_zero else levels
    read = decode(tiff_16(stored, t262=0 if white_is_zero else 1), "x", 1.0).samples
    np.testing.assert_array_equal(read[:, :, 0], levels)


def test_16_bit_colour_premultiplied_by_alpha_is_undone():
    stored = np.array([[[100, 0, 50, 200], [7, 8, 9, 65535]], [[1, 1, 1, 2], [0, 0, 0, 0]]], np.uint16)
    read = decode(tiff_16(stored, t262=2, t338=1), "x", 1.0).samples
    np.testing.assert_array_equal(read[0, 0], [32768, 0, 16384, 200])
    np.testing.assert_array_equal(read[0, 1], [7, 8, 9, 65535])
    np.testing.assert_array_equal(read[1, 1], [0, 0, 0, 0])


def test_16_bit_planes_kept_apart_are_refused_rather_than_mixed_up():
    content = tiff_16(np.arange(12, dtype=np.uint16), t262=2, t284=2, t273=(0, 8, 16), t279=(8, 8, 8))
    with pytest.raises(InputError, match="separate colour planes"):
        decode(content, "x", 1.0)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_bytes_give_a_picture_or_one_line(kind, data):
    content = bytearray(GOOD[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, min(len(content), 600) - 1))
        content[index] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            samples = decode(bytes(content), "x", max_megapixels=1.0).samples
        except InputError as refused:
            message = str(refused)
        else:
            message = "x "
            assert samples.ndim == 3
            assert samples.shape[2] in (1, 2, 3, 4)
    assert message.startswith("x ")
    assert "\n" not in message
