"""Picture files in and out: every mode and depth, what travels along, and the colour formulas.

Files that must be refused are in test_image_bad_files.py.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps
from skimage.color import rgb2ycbcr

from lumiface.core.errors import OutputError
from lumiface.imaging.color import luma, luma_limited, rgb_to_ycbcr, ycbcr_to_rgb
from lumiface.imaging.io import (
    PICTURE_SUFFIXES,
    ImageInfo,
    Picture,
    decode_rgb8,
    encode_png,
    read_picture,
    write_picture,
)
from lumiface.imaging.quantize import from_uint8, to_uint8

ORIENTATION, MAKE, EXPOSURE, TAKEN, MAKER_NOTE = 0x0112, 0x010F, 0x829A, 0x9003, 0x927C
EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825
LOSSLESS = (".png", ".webp", ".tif", ".tiff", ".bmp")


def exif_bytes(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[MAKE] = "Lumiere"
    exif[ORIENTATION] = orientation
    exif[EXIF_DIRECTORY] = {TAKEN: "1895:12:28 20:00:00", EXPOSURE: 0.5, MAKER_NOTE: b"\x01secret\xff"}
    exif[GPS_DIRECTORY] = {1: "N", 2: (48.0, 52.0, 14.0)}
    return exif.tobytes()


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def samples(bits: int, channels: int, seed: int = 0) -> torch.Tensor:
    """(1, C, 21, 34) that lie exactly on the 8- or 16-bit grid."""
    top = 2**bits - 1
    values = np.random.default_rng(seed).integers(0, top + 1, (1, channels, 21, 34))
    return torch.from_numpy(values.astype(np.float32)) / top


def picture(bits: int, grey: bool, alpha: bool, **kind: object) -> Picture:
    rgb = samples(bits, 1).expand(-1, 3, -1, -1) if grey else samples(bits, 3)
    return Picture(rgb, samples(bits, 1, seed=1) if alpha else None, ImageInfo(bits=bits, grey=grey, **kind))


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [True, False], ids=["grey", "colour"])
@pytest.mark.parametrize("alpha", [True, False], ids=["alpha", "opaque"])
def test_round_trip_is_exact_and_of_the_same_kind(tmp_path, suffix, bits, grey, alpha):
    before = picture(bits, grey, alpha)
    path = tmp_path / f"x{suffix}"
    if alpha and suffix == ".bmp":
        with pytest.raises(OutputError, match="BMP has no transparency"):
            write_picture(before, path)
        return
    write_picture(before, path, quality=100)
    after = read_picture(path)
    holds_16 = suffix in (".png", ".tif", ".tiff")
    assert after.info.bits == (bits if holds_16 else 8)
    # WebP has no grey, and a TIFF of 16-bit grey with alpha has few readers: both hold three equal channels.
    assert after.info.grey == (grey and suffix != ".webp" and not (alpha and bits == 16 and ".tif" in suffix))
    tolerance = 1e-7 if bits == 8 or holds_16 else 0.5 / 255 + 1e-6
    shown = torch.ones(1) if before.alpha is None else (before.alpha >= 1 / 16)  # others: test_transparency
    assert ((after.rgb - before.rgb) * shown).abs().max() <= tolerance
    assert (after.alpha is None) is (before.alpha is None)
    if before.alpha is not None and after.alpha is not None:
        assert (after.alpha - before.alpha).abs().max() <= tolerance


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp"])
def test_lossy_formats_stay_close(tmp_path, astronaut, suffix):
    write_picture(Picture(astronaut), tmp_path / f"x{suffix}")
    after = read_picture(tmp_path / f"x{suffix}")
    assert 0 < (after.rgb - astronaut).abs().mean() < 0.012


def test_jpeg_keeps_the_chroma_at_full_resolution(tmp_path):
    write_picture(picture(8, False, False), tmp_path / "x.jpg")
    stored = Image.open(tmp_path / "x.jpg")
    assert [component[1:3] for component in stored.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("grey", "alpha"), [(True, False), (False, False), (False, True)])
def test_16_bit_files_mean_the_same_to_opencv(tmp_path, suffix, grey, alpha):
    before = picture(16, grey, alpha)
    write_picture(before, tmp_path / f"x{suffix}")
    expected = cv2.imread(str(tmp_path / f"x{suffix}"), cv2.IMREAD_UNCHANGED)
    assert expected.dtype == np.uint16
    planes = before.rgb[:, :1] if grey else before.rgb.flip(1)
    if before.alpha is not None:
        planes = torch.cat((planes, before.alpha), dim=1)
    actual = (planes[0].permute(1, 2, 0) * 65535).round().numpy()
    np.testing.assert_array_equal(expected.reshape(actual.shape), actual)
    assert cv2.imwrite(str(tmp_path / f"back{suffix}"), expected)
    again = read_picture(tmp_path / f"back{suffix}")
    assert torch.equal(again.rgb, read_picture(tmp_path / f"x{suffix}").rgb)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_and_reset(tmp_path, astronaut_uint8, suffix, orientation):
    stored = Image.fromarray(astronaut_uint8[:40, 150:210])
    path = tmp_path / f"x{suffix}"
    lossless = {"lossless": True} if suffix == ".webp" else {}
    stored.save(path, exif=exif_bytes(orientation), **lossless)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    upright = read_picture(path)
    np.testing.assert_array_equal(to_uint8(upright.rgb)[0].permute(1, 2, 0).numpy(), expected)
    np.testing.assert_array_equal(decode_rgb8(path.read_bytes(), "x"), expected)
    write_picture(upright, tmp_path / f"out{suffix}")
    out = Image.open(tmp_path / f"out{suffix}")
    assert out.getexif().get(ORIENTATION, 1) == 1
    assert out.size == expected.shape[1::-1]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_and_icc_travel_along(tmp_path, suffix, bits):
    path = tmp_path / f"x{suffix}"
    write_picture(picture(bits, False, False, exif=exif_bytes(), icc=SRGB), path)
    write_picture(read_picture(path), path)  # and once more, through our own reader
    after = Image.open(path)
    exif = after.getexif()
    assert after.info["icc_profile"] == SRGB
    assert exif[MAKE] == "Lumiere"
    assert exif.get_ifd(EXIF_DIRECTORY)[TAKEN] == "1895:12:28 20:00:00"
    assert exif.get_ifd(EXIF_DIRECTORY)[EXPOSURE] == 0.5
    assert exif.get_ifd(EXIF_DIRECTORY)[MAKER_NOTE] == b"\x01secret\xff"
    assert exif.get_ifd(GPS_DIRECTORY)[2] == (48.0, 52.0, 14.0)


def test_exif_is_patched_and_not_rewritten(tmp_path):
    raw = exif_bytes(6)
    Image.new("RGB", (4, 2)).save(tmp_path / "x.jpg", exif=raw)
    kept = read_picture(tmp_path / "x.jpg").info.exif
    assert kept is not None
    assert len(kept) == len(raw)
    assert [(a, b) for a, b in zip(raw, kept, strict=True) if a != b] == [(6, 1)]


def test_the_thumbnail_of_the_old_picture_goes(tmp_path):
    exif = Image.Exif()
    exif[MAKE] = "Lumiere"
    raw = bytearray(
        exif.tobytes()
    )  # one entry: header 6 + 8, count 2, entry 12; then the link to the thumbnail
    link = slice(6 + 8 + 2 + 12, 6 + 8 + 2 + 12 + 4)
    raw[link] = (8).to_bytes(4, "big" if raw[6:8] == b"MM" else "little")
    Image.new("RGB", (4, 2)).save(tmp_path / "x.jpg", exif=bytes(raw))
    kept = read_picture(tmp_path / "x.jpg").info.exif
    assert kept is not None
    assert kept[link] == bytes(4)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0rubbish", b"Exif\0\0MM\0*\0\0\0\x08\0\xff"], ids=["rubbish", "cut"]
)
def test_damaged_exif_is_left_out_with_a_remark(tmp_path, exif):
    Image.new("RGB", (4, 2)).save(tmp_path / "x.jpg", exif=exif)
    info = read_picture(tmp_path / "x.jpg").info
    assert info.exif is None
    assert info.remarks == ("its EXIF is damaged and dropped",)


@pytest.mark.parametrize("transparent", [True, False])
def test_a_palette_becomes_colours(tmp_path, transparent):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    stored = Image.fromarray(indices).convert("P")
    stored.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    stored.save(tmp_path / "x.png", **({"transparency": 1} if transparent else {}))
    after = read_picture(tmp_path / "x.png")
    shown = indices != 1 if transparent else np.ones_like(indices, dtype=bool)
    np.testing.assert_array_equal(after.rgb.argmax(dim=1)[0].numpy()[shown], indices[shown])
    assert not after.info.grey
    assert (after.alpha is not None) == transparent
    if after.alpha is not None:
        np.testing.assert_array_equal(after.alpha[0, 0] == 0, indices == 1)


def test_bilevel_becomes_grey(tmp_path):
    Image.fromarray(np.eye(5, dtype=bool)).save(tmp_path / "x.tif")
    after = read_picture(tmp_path / "x.tif")
    assert after.info.grey
    assert torch.equal(after.rgb[0, 0], torch.eye(5))


def test_dark_colour_is_not_mistaken_for_grey(tmp_path):
    write_picture(Picture(torch.full((1, 3, 4, 4), 0.01)), tmp_path / "x.png")
    assert not read_picture(tmp_path / "x.png").info.grey


def cmyk_profile() -> bytes:
    """A printer's profile (ICC.1:2001-04), a table of 2⁴ points: black ink is black, every other is white."""
    grid = bytes(value for point in range(16) for value in (0 if point & 1 else 255, 128, 128))
    ramp = bytes(range(256))
    identity = b"".join(int(i % 4 == 0).to_bytes(2, "big") + b"\0\0" for i in range(9))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    text = b"text\0\0\0\0none\0\0\0\0"
    desc = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"test\0" + bytes(8) + bytes(70)
    tags = {b"A2B0": table, b"cprt": text, b"desc": desc + bytes(-len(desc) % 4)}
    tags = {name: content + bytes(-len(content) % 4) for name, content in tags.items()}
    offset = 128 + 4 + 12 * len(tags)
    index, body = len(tags).to_bytes(4, "big"), b""
    for name, content in tags.items():
        index += name + (offset + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content
    header = bytearray(128)
    header[0:4] = (offset + len(body)).to_bytes(4, "big")
    header[8:12] = b"\x02\x10\0\0"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = bytes.fromhex("0000f6d6000100000000d32d")  # D50, the connection space's white
    return bytes(header) + index + body


@pytest.mark.parametrize(
    ("profile", "cyan"), [(None, (0, 255, 255)), (cmyk_profile(), (255, 255, 255))], ids=["plain", "profile"]
)
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_converted_by_its_own_profile(tmp_path, suffix, profile, cyan):
    stored = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    stored.paste((0, 0, 0, 255), (0, 0, 16, 8))
    stored.save(tmp_path / f"x{suffix}", **({"icc_profile": profile} if profile else {}))
    after = read_picture(tmp_path / f"x{suffix}")
    colours = to_uint8(after.rgb)[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(colours[12, 8] - cyan).max() <= 3
    assert colours[2, 8].max() <= 3
    assert after.info.icc is None  # the values are sRGB now
    write_picture(after, tmp_path / f"out{suffix}")
    assert Image.open(tmp_path / f"out{suffix}").mode == "RGB"


def test_an_unusable_cmyk_profile_is_said(tmp_path):
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "x.jpg", icc_profile=SRGB)
    read = read_picture(tmp_path / "x.jpg")
    assert read.rgb[0, :, 4, 4].tolist() == pytest.approx([0, 1, 1], abs=0.02)
    assert any("its colour profile is unusable" in remark for remark in read.info.remarks)


def test_content_decides_not_the_suffix(tmp_path):
    (tmp_path / "x.jpg").write_bytes(encode_png(torch.rand(1, 3, 4, 4)))
    assert read_picture(tmp_path / "x.jpg").info.format == "PNG"


def test_a_grey_picture_stays_grey_when_a_network_has_tinted_it(tmp_path):
    before = picture(8, True, False)
    tinted = replace(before, rgb=before.rgb * torch.tensor([1.0, 0.9, 0.8]).view(1, 3, 1, 1))
    write_picture(tinted, tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").mode == "L"
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "x.png")), to_uint8(luma(tinted.rgb))[0, 0].numpy()
    )


# --- Writing where it cannot be written ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.psd", "x", "x.jpg.exe"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"the name must end in one of \.jpg"):
        write_picture(picture(8, False, False), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_alpha_is_never_dropped_silently(tmp_path):
    with pytest.raises(OutputError, match=r"x\.jpg: JPEG has no transparency; write \.png"):
        write_picture(picture(8, False, True), tmp_path / "x.jpg")


def test_alpha_must_have_grown_with_the_picture(tmp_path):
    before = picture(8, False, True)
    larger = replace(before, rgb=before.rgb.repeat_interleave(4, 2).repeat_interleave(4, 3))
    with pytest.raises(OutputError, match="resize the alpha channel"):
        write_picture(larger, tmp_path / "x.png")


def test_a_place_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "x.png", tmp_path / "folder.png"):
        with pytest.raises(OutputError) as caught:
            write_picture(picture(8, False, False), path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder.png"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    write_picture(picture(8, False, False), path)
    before = path.read_bytes()

    def full_disk(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_picture(picture(8, True, False), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_folders_are_made_on_the_way(tmp_path):
    write_picture(picture(8, False, False), tmp_path / "a" / "b" / "x.png")
    assert (tmp_path / "a" / "b" / "x.png").exists()


# --- Bytes for data sets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_decode_rgb8_always_gives_three_channels(mode):
    out = io.BytesIO()
    stored = Image.linear_gradient("L").resize((9, 5)).convert(mode)
    stored.save(out, "PNG")
    decoded = decode_rgb8(out.getvalue(), "x")
    assert decoded.shape == (5, 9, 3)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, np.asarray(stored.convert("RGB")))


def test_decode_rgb8_rounds_16_bits_half_up():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    _, data = cv2.imencode(".png", levels)
    expected = np.floor(levels / 257 + 0.5)
    np.testing.assert_array_equal(decode_rgb8(data.tobytes(), "x")[:, :, 1], expected)


def test_encode_png_takes_tensors_and_arrays(astronaut, astronaut_uint8):
    for given_as in (astronaut, astronaut[0], astronaut_uint8):
        np.testing.assert_array_equal(decode_rgb8(encode_png(given_as), "x"), astronaut_uint8)
    assert torch.equal(from_uint8(astronaut_uint8.copy()), astronaut)


# --- Colour -------------------------------------------------------------------------------------------------


def test_luma_limited_is_matlabs(astronaut, astronaut_uint8):
    np.testing.assert_allclose(luma_limited(astronaut)[0, 0], rgb2ycbcr(astronaut_uint8)[..., 0], atol=1e-4)
    assert luma_limited(torch.ones(1, 3, 1, 1)).item() == pytest.approx(235)


def test_full_range_ycbcr_is_jpegs(astronaut, astronaut_uint8):
    expected = np.asarray(Image.fromarray(astronaut_uint8).convert("YCbCr")).astype(np.float32)
    actual = rgb_to_ycbcr(astronaut)[0].permute(1, 2, 0).numpy() * 255
    centred = np.array([0.0, 0.5, 0.5])  # JPEG centres chroma on 128, and 0.5 · 255 is 127.5
    assert np.abs(actual + centred - expected).max() < 1.1
    torch.testing.assert_close(ycbcr_to_rgb(rgb_to_ycbcr(astronaut)), astronaut, atol=1e-6, rtol=0)
    torch.testing.assert_close(luma(astronaut), rgb_to_ycbcr(astronaut)[:, :1])


@given(st.integers(0, 255))
def test_8_bits_survive(level):
    assert to_uint8(torch.tensor([level / 255])).item() == level


def test_to_uint8_rounds_half_up_clips_and_leaves_its_input_alone():
    values = torch.tensor([-1.0, 0.5 / 255, 0.49 / 255, 2.5 / 255, 1.0, 7.0])
    kept = values.clone()
    assert to_uint8(values).tolist() == [0, 1, 0, 3, 255, 255]
    assert torch.equal(values, kept)


def test_suffixes_are_lower_case_and_all_written(tmp_path):
    for suffix in PICTURE_SUFFIXES:
        assert suffix == suffix.lower()
        write_picture(picture(8, False, False), tmp_path / f"x{suffix}")
