"""Pictures as callers hold them: the same kind goes back, and what is wrong is said at once."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.core.errors import InputError
from lumiface.imaging.exchange import open_any
from lumiface.imaging.io import Picture, read_picture, write_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 4), dtype=np.uint8)
KINDS = ("uint8", "uint16", "float16", "float32", "float64")


def doubled(picture: Picture) -> Picture:
    """Twice as large: what goes back must not rely on the size."""
    alpha = None if picture.alpha is None else picture.alpha.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return replace(picture, rgb=picture.rgb.repeat_interleave(2, 2).repeat_interleave(2, 3), alpha=alpha)


def array_of(dtype: str, channels: int | None) -> np.ndarray:
    pixels = PIXELS[..., 0] if channels is None else PIXELS[..., -channels:]
    if dtype == "uint16":
        return pixels.astype(np.uint16) * 257
    return pixels if dtype == "uint8" else (pixels / 255).astype(dtype)


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", KINDS)
def test_an_array_comes_back_as_it_went_in(dtype: str, channels: int | None) -> None:
    array = array_of(dtype, channels)
    before = array.copy()
    picture, back = open_any(array)
    assert picture.rgb.shape == (1, 3, 12, 10)
    assert (picture.alpha is not None) == (channels in (2, 4))
    again, larger = back(picture), back(doubled(picture))
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert larger.shape == (24, 20, *array.shape[2:])
    shown = slice(None) if picture.alpha is None else array[..., -1] >= 0.07 * array.max()
    tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-6}.get(dtype, 0)
    np.testing.assert_allclose(
        again[shown].astype(np.float64), array[shown].astype(np.float64), atol=tolerance
    )
    np.testing.assert_array_equal(array, before)  # the caller's own is not written to
    again[:] = 0  # and the result is the caller's to write to


@pytest.mark.parametrize("dtype", KINDS)
def test_every_dtype_means_the_same_picture(dtype: str) -> None:
    reference, _ = open_any(array_of("uint8", 3))
    picture, _ = open_any(array_of(dtype, 3))
    assert float((picture.rgb - reference.rgb).abs().max()) < (1e-3 if dtype == "float16" else 1e-6)


def test_views_and_other_byte_orders_are_arrays_too() -> None:
    wide = array_of("uint16", 3)
    for view in (PIXELS[::-1, ::2, :3], np.asfortranarray(PIXELS[..., :3]), wide.astype(">u2")):
        picture, back = open_any(view)
        np.testing.assert_array_equal(back(picture), view)


@pytest.mark.parametrize(("channels", "dtype"), [(4, "uint8"), (4, "float32"), (2, "uint16")])
def test_opaque_alpha_is_no_work_and_still_comes_back(channels: int, dtype: str) -> None:
    array = array_of(dtype, channels).copy()
    top = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    array[..., -1] = top
    picture, back = open_any(array)
    assert picture.alpha is None
    assert back(doubled(picture)).shape == (24, 20, channels)
    assert (back(picture)[..., -1] == top).all()


def test_colours_hidden_in_an_array_do_not_bleed() -> None:
    cutout = np.zeros((16, 16, 4), np.uint8)
    cutout[..., 1] = 255  # green, hidden
    cutout[4:12, 4:12] = (200, 0, 200, 255)
    picture, _ = open_any(cutout)
    assert float(picture.rgb[:, 1].max()) < 0.1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "YCbCr", "LAB", "I;16"])
def test_an_image_of_every_mode_comes_back_as_an_image(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(array_of("uint16", None))
    elif mode == "LAB":
        image = Image.fromarray(PIXELS[..., :3], "LAB")
    else:
        image = Image.fromarray(PIXELS).convert("RGB" if mode == "CMYK" else mode).convert(mode)
    picture, back = open_any(image)
    larger = back(doubled(picture))
    plain = {"1": "L", "P": "RGBA" if image.has_transparency_data else "RGB", "I;16": "I;16"}
    assert larger.mode == plain.get(mode, mode if mode in ("L", "LA", "RGB", "RGBA") else "RGB")
    assert larger.size == (20, 24)
    if mode in ("L", "RGB", "I;16"):
        np.testing.assert_array_equal(np.asarray(back(picture)), np.asarray(image))


def test_an_image_means_the_same_as_the_file_it_was_opened_from(tmp_path: Path) -> None:
    """Rotation by EXIF, profile, EXIF, texts and pixels per inch are those of the file."""
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PIXELS[..., :3]).save(tmp_path / "a.png", exif=exif, icc_profile=profile, dpi=(300, 300))
    file = read_picture(tmp_path / "a.png")
    picture, back = open_any(Image.open(tmp_path / "a.png"))
    assert torch.equal(picture.rgb, file.rgb)
    assert picture.rgb.shape[-2:] == (10, 12)
    result = back(picture)
    assert result.getexif()[0x010F] == "a camera"
    assert result.getexif().get(0x0112, 1) == 1
    assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    result.save(tmp_path / "b.png")
    assert torch.equal(read_picture(tmp_path / "b.png").rgb, file.rgb)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".gif"])
def test_bytes_and_file_objects_keep_their_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_picture(Picture(torch.rand(1, 3, 12, 10)), path)
    file, data = read_picture(path), path.read_bytes()
    for source in (data, bytearray(data), memoryview(data)):
        picture, back = open_any(source)
        assert torch.equal(picture.rgb, file.rgb)
        again = back(doubled(picture))
        assert isinstance(again, bytes)
        assert Image.open(io.BytesIO(again)).format == Image.open(path).format
        assert Image.open(io.BytesIO(again)).size == (20, 24)
    with path.open("rb") as stream:
        picture, back = open_any(stream)
    result = back(picture)
    assert torch.equal(picture.rgb, file.rgb)
    assert result.tell() == 0
    assert Image.open(result).format == Image.open(path).format


def test_a_path_and_a_picture_come_back_as_a_picture(tmp_path: Path) -> None:
    write_picture(Picture(torch.rand(1, 3, 12, 10)), tmp_path / "a.png")
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), read_picture(tmp_path / "a.png")):
        picture, back = open_any(source)
        assert back(picture) is picture


FLOATS = np.full((8, 8, 3), 0.5, np.float32)
CLOSED = io.BytesIO(b"x")
CLOSED.close()
REFUSED = {
    "0 to 255 as floats": (FLOATS * 255, "must lie from 0 to 1, but the array's from 127.5 to 127.5; divide"),
    "-1 to 1": (FLOATS * 4 - 3, "from -1 to -1; divide"),
    "overshoot": (FLOATS * 2.1, "from 1.05 to 1.05; clip it"),
    "NaN": (FLOATS * np.float32("nan"), "holds NaN or infinite values"),
    "infinite": (np.full((8, 8), np.inf), "holds NaN or infinite values"),
    "channels first": (FLOATS.transpose(2, 0, 1), "move the channels to the end"),
    "a batch": (FLOATS[None], "one picture at a time"),
    "a row": (FLOATS[0, :, 0], "of shape (8,) is no picture"),
    "five channels": (np.zeros((8, 8, 5), np.uint8), "of shape (8, 8, 5) is no picture"),
    "empty": (np.zeros((0, 8, 3), np.uint8), "the array is empty"),
    "no channel": (np.zeros((8, 8, 0), np.uint8), "the array is empty"),
    "int64": (np.zeros((8, 8, 3), np.int64), "an array of int64 has no known range"),
    "bool": (np.zeros((8, 8, 3), bool), "an array of bool has no known range"),
    "objects": (np.full((8, 8), None), "an array of object has no known range"),
    "complex": (FLOATS.astype(complex), "an array of complex128 has no known range"),
    "empty image": (Image.new("RGB", (0, 4)), "the image is empty"),
    "mode F": (Image.new("F", (4, 4)), "mode F is not supported"),
    "mode HSV": (Image.new("HSV", (4, 4)), "mode HSV is not supported"),
    "no bytes": (b"", "is empty"),
    "other bytes": (b"not a picture", "is not a picture in a supported format"),
    "text file": (io.StringIO("text"), "open it with mode 'rb'"),
    "read before": (io.BytesIO(b""), "rewind it by seek(0)"),
    "closed": (CLOSED, "cannot be read (I/O operation on closed file"),
    "None": (None, "a NoneType is no picture; give a path"),
    "a list": ([[0.5, 0.5]], "a list is no picture; give a path"),
    "a tensor": (torch.zeros(3, 8, 8), "a Tensor is no picture; give a path"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_in_one_sentence(name: str) -> None:
    source, reason = REFUSED[name]
    with pytest.raises(InputError) as refused:
        open_any(source)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_rounding_beyond_the_range_is_clipped() -> None:
    picture, _ = open_any(np.array([[-1e-4, 1.0 + 1e-4]]))
    assert (float(picture.rgb.min()), float(picture.rgb.max())) == (0.0, 1.0)


def test_a_truncated_image_is_refused_in_one_sentence(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:4000])
    with pytest.raises(InputError, match="the image cannot be used"):
        open_any(Image.open(tmp_path / "b.png"))
