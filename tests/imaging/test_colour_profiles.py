"""Colours of other profiles: sRGB for the work, and seen through the profile the same picture again."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from lumiface.imaging.codec.icc import build_profile
from lumiface.imaging.codec.rgb_space import (
    ADOBE_GAMMA,
    ADOBE_PRIMARIES,
    P3_PRIMARIES,
    SRGB_CURVE,
    SRGB_PRIMARIES,
    ParametricCurve,
    RgbSpace,
    rgb_space,
)
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.imaging.quantize import from_uint8, to_samples

PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
SPACES = {
    "P3": rgb_space(P3_PRIMARIES, SRGB_CURVE),
    "Adobe RGB": rgb_space(ADOBE_PRIMARIES, ParametricCurve(ADOBE_GAMMA)),
    "ProPhoto": rgb_space(PROPHOTO, ParametricCurve(1.8), (0.3457, 0.3585)),
    "linear": rgb_space(SRGB_PRIMARIES, ParametricCurve(1.0)),
}
WITHIN = 1.5 / 255


def colours() -> np.ndarray:
    """(48, 64, 3) uint8: all hues that sRGB has, light and dark."""
    y, x = np.mgrid[0:48, 0:64] / 63.0
    rgb = np.stack([x, y.clip(0, 1), (1 - x) * y + 0.2], axis=-1)
    return (rgb.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def stored_in(space: RgbSpace, srgb: np.ndarray, bits: int) -> Picture:
    """What a camera of this space would store of the colours, without lumiface's reader."""
    values = space.from_srgb(srgb.astype(np.float64) / 255)
    return Picture(torch.from_numpy(values).permute(2, 0, 1)[None].float())


def seen(path: Path) -> np.ndarray:
    """(H, W, 3) in sRGB, 0..255: as LittleCMS shows a file through its profile."""
    picture = Image.open(path)
    profile = picture.info.get("icc_profile")
    if profile is None:
        return np.asarray(picture.convert("RGB")).astype(float)
    shown = ImageCms.profileToProfile(
        picture.convert("RGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    return np.asarray(shown).astype(float)


def write_in(space: RgbSpace, path: Path, *, profile: bytes, bits: int = 8) -> None:
    """A file with the space's own values and its profile, past lumiface's conversion."""
    values = stored_in(space, colours(), bits).rgb[0]
    samples = to_samples(values, np.uint16 if bits == 16 else np.uint8)
    if bits == 8:
        options = {"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}
        Image.fromarray(samples).save(path, icc_profile=profile, **options)
    else:
        from lumiface.imaging.codec.encode import encode
        from lumiface.imaging.codec.raster import Raster

        path.write_bytes(
            encode(Raster(samples, "PNG" if path.suffix == ".png" else "TIFF", icc=profile), 100)
        )


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("suffix", "bits"), [(".png", 8), (".jpg", 8), (".tif", 8), (".png", 16), (".tif", 16)]
)
def test_profiles_are_applied_and_the_result_is_seen_alike(tmp_path, name, suffix, bits):
    space = SPACES[name]
    path = tmp_path / f"x{suffix}"
    write_in(space, path, profile=build_profile(space, name), bits=bits)
    read = read_picture(path)
    expected = from_uint8(colours())
    tolerance = 4 * WITHIN if suffix == ".jpg" else WITHIN
    # Steps of 8 bits in linear light or ProPhoto are coarse in the dark; the mean is what is judged.
    assert float((read.rgb - expected).abs().mean()) < WITHIN
    if bits == 16:
        assert float((read.rgb - expected).abs().max()) < tolerance
    write_picture(read, tmp_path / f"out{suffix}", quality=100)
    if bits == 8:
        shown, wanted = seen(tmp_path / f"out{suffix}"), colours().astype(float)
        assert np.abs(shown - wanted).mean() < 1.5
    else:
        again = read_picture(tmp_path / f"out{suffix}")
        assert again.info.bits == 16
        assert float((again.rgb - read.rgb).abs().max()) < 1e-3
    assert Image.open(tmp_path / f"out{suffix}").info["icc_profile"] == build_profile(space, name)


@pytest.mark.parametrize("name", ["P3", "Adobe RGB"])
def test_nothing_is_lost_by_going_there_and_back(tmp_path, name):
    write_in(SPACES[name], tmp_path / "x.png", profile=build_profile(SPACES[name], name))
    write_picture(read_picture(tmp_path / "x.png"), tmp_path / "out.png")
    before, after = (np.asarray(Image.open(tmp_path / f)).astype(int) for f in ("x.png", "out.png"))
    assert np.abs(before - after).max() <= 1


def test_a_profile_of_srgb_changes_no_bit(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours()).save(tmp_path / "x.png", icc_profile=srgb)
    assert torch.equal(read_picture(tmp_path / "x.png").rgb, from_uint8(colours()))


def test_our_profiles_mean_the_same_to_littlecms():
    for name, space in SPACES.items():
        stored = Image.fromarray(to_samples(stored_in(space, colours(), 8).rgb[0], np.uint8))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(build_profile(space, name)))
        shown = ImageCms.profileToProfile(stored, profile, ImageCms.createProfile("sRGB"))
        assert np.abs(np.asarray(shown).astype(float) - colours()).mean() < 1.5, name


def lab_table_profile() -> bytes:
    """A scanner's profile: a table from RGB to Lab (ICC.1:2001-04), and no way back. Grey runs along L."""
    levels = (0, 255)
    grid = bytes(
        value for r in levels for g in levels for b in levels for value in ((r + g + b) // 3, 128, 128)
    )
    ramp = bytes(range(256))
    identity = b"".join(int(i % 4 == 0).to_bytes(2, "big") + b"\0\0" for i in range(9))
    table = b"mft1\0\0\0\0" + bytes((3, 3, 2, 0)) + identity + ramp * 3 + grid + ramp * 3
    desc = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"scan\0" + bytes(78)
    tags = {b"A2B0": table, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"desc": desc}
    index, body, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        index += struct.pack(">4sII", tag, offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4x4s4s4s4s", offset + len(body), b"\x02\x10\0\0", b"scnr", b"RGB ", b"Lab ")
    header = header.ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + index + body


def test_a_scanners_table_is_applied_and_the_result_is_srgb(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "x.png", icc_profile=lab_table_profile())
    read = read_picture(tmp_path / "x.png")
    wanted = seen(tmp_path / "x.png")
    assert np.abs(read.rgb[0].permute(1, 2, 0).numpy() * 255 - wanted).max() < 1.5
    assert read.info.icc is None
    assert any("has no way back" in remark for remark in read.info.remarks)
    write_picture(read, tmp_path / "out.png")
    assert np.abs(seen(tmp_path / "out.png") - wanted).max() < 1.5


def grey_profile(gamma: float) -> bytes:
    rgb = build_profile(rgb_space(SRGB_PRIMARIES, ParametricCurve(gamma)), "grey")
    return rgb.replace(b"RGB XYZ ", b"GRAYXYZ ", 1).replace(b"rTRC", b"kTRC", 1)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_grey_picture_with_a_profile_of_grey(tmp_path, bits):
    ramp = np.linspace(0, 1, 64)
    light = ramp**1.8
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    stored = to_samples(torch.from_numpy(ramp)[None, None].float(), np.uint16 if bits == 16 else np.uint8)
    Image.fromarray(stored[:, :, 0].repeat(4, axis=0)).save(tmp_path / "x.png", icc_profile=grey_profile(1.8))
    read = read_picture(tmp_path / "x.png")
    assert read.info.grey
    assert np.abs(read.rgb[0, 0, 0].numpy() - srgb).max() < 3 * WITHIN
    for suffix in (".png", ".tif", ".jpg"):
        write_picture(read, tmp_path / f"out{suffix}", quality=100)
        out = Image.open(tmp_path / f"out{suffix}")
        assert out.info["icc_profile"] == grey_profile(1.8)
    # Three equal channels, where a profile of grey would not fit: sRGB.
    write_picture(read, tmp_path / "out.webp", quality=100)
    assert "icc_profile" not in Image.open(tmp_path / "out.webp").info
    assert float((read_picture(tmp_path / "out.webp").rgb - read.rgb).abs().max()) < WITHIN


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        (b"rubbish", "no colours|of"),
        (b"\0" * 200, "of"),
        (build_profile(SPACES["P3"], "P3")[:300], "damaged"),
    ],
    ids=["rubbish", "zeros", "cut"],
)
def test_an_unusable_profile_is_ignored_and_said(tmp_path, profile, why):
    Image.fromarray(colours()).save(tmp_path / "x.png", icc_profile=profile)
    read = read_picture(tmp_path / "x.png")
    assert torch.equal(read.rgb, from_uint8(colours()))
    assert read.info.icc is None
    assert any("its colour profile is unusable" in remark for remark in read.info.remarks)


def png_with(chunks: dict[bytes, bytes], samples: np.ndarray) -> bytes:
    """A PNG with chunks of ours behind its header."""
    out = io.BytesIO()
    Image.fromarray(samples).save(out, "PNG")
    data, extra = out.getvalue(), b""
    for kind, content in chunks.items():
        extra += struct.pack(">I", len(content)) + kind + content
        extra += struct.pack(">I", zlib.crc32(kind + content))
    return data[:33] + extra + data[33:]


def gama(gamma: float) -> bytes:
    return struct.pack(">I", round(gamma * 100_000))


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 0.3])
def test_gama_is_applied(tmp_path, gamma):
    linear = rgb_space(SRGB_PRIMARIES, ParametricCurve(1 / gamma)).from_srgb(colours() / 255.0)
    (tmp_path / "x.png").write_bytes(png_with({b"gAMA": gama(gamma)}, (linear * 255 + 0.5).astype(np.uint8)))
    read = read_picture(tmp_path / "x.png")
    assert float((read.rgb - from_uint8(colours())).abs().mean()) < WITHIN
    write_picture(read, tmp_path / "out.png")
    out = Image.open(tmp_path / "out.png")
    assert "gamma" not in out.info
    assert np.abs(np.asarray(out).astype(float) - colours()).mean() < 1.5


def test_gama_with_primaries(tmp_path):
    values = SPACES["Adobe RGB"].from_srgb(colours() / 255.0)
    points = [(0.3127, 0.329), *ADOBE_PRIMARIES]
    chrm = b"".join(struct.pack(">I", round(number * 100_000)) for point in points for number in point)
    chunks = {b"gAMA": gama(1 / ADOBE_GAMMA), b"cHRM": chrm}
    (tmp_path / "x.png").write_bytes(png_with(chunks, (values * 255 + 0.5).astype(np.uint8)))
    assert float((read_picture(tmp_path / "x.png").rgb - from_uint8(colours())).abs().mean()) < WITHIN


@pytest.mark.parametrize("chunks", [{b"gAMA": gama(1 / 2.2)}, {b"sRGB": b"\0", b"gAMA": gama(1.0)}])
def test_gama_that_means_srgb_changes_no_bit(tmp_path, chunks):
    (tmp_path / "x.png").write_bytes(png_with(chunks, colours()))
    assert torch.equal(read_picture(tmp_path / "x.png").rgb, from_uint8(colours()))


@pytest.mark.parametrize("others", [{}, {b"gAMA": gama(1.0)}, {b"iCCP": b"x\0\0" + zlib.compress(b"none")}])
def test_primaries_that_png_names_by_number_go_before_all_else(tmp_path, others):
    values = (SPACES["P3"].from_srgb(colours() / 255.0) * 255 + 0.5).astype(np.uint8)
    (tmp_path / "x.png").write_bytes(png_with({b"cICP": bytes([12, 13, 0, 1]), **others}, values))
    read = read_picture(tmp_path / "x.png")
    assert float((read.rgb - from_uint8(colours())).abs().mean()) < WITHIN
    write_picture(read, tmp_path / "out.png")
    assert np.abs(seen(tmp_path / "out.png") - colours()).mean() < 1.5


def test_primaries_that_avif_names_by_number(tmp_path):
    values = (SPACES["P3"].from_srgb(colours() / 255.0) * 255 + 0.5).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(values).save(out, "AVIF", quality=100, subsampling="4:4:4")
    named, p3 = (b"colrnclx" + struct.pack(">H", number) for number in (1, 12))
    assert named in out.getvalue()
    (tmp_path / "x.avif").write_bytes(out.getvalue().replace(named, p3))
    read = read_picture(tmp_path / "x.avif")
    assert float((read.rgb - from_uint8(colours())).abs().mean()) < 2 * WITHIN
    write_picture(read, tmp_path / "out.png")
    assert np.abs(seen(tmp_path / "out.png") - colours()).mean() < 3.0


@pytest.mark.parametrize("numbers", [(1, 13), (1, 1), (2, 2), (0, 255)])
def test_numbers_that_mean_srgb_or_nothing_change_no_bit(tmp_path, numbers):
    (tmp_path / "x.png").write_bytes(png_with({b"cICP": bytes([*numbers, 0, 1])}, colours()))
    read = read_picture(tmp_path / "x.png")
    assert torch.equal(read.rgb, from_uint8(colours()))
    assert (read.info.icc, read.info.remarks) == (None, ())


def test_numbers_beside_a_grey_picture_or_unknown_ones_beside_a_profile(tmp_path):
    (tmp_path / "grey.png").write_bytes(png_with({b"cICP": bytes([12, 13, 0, 1])}, colours()[..., 0]))
    grey = read_picture(tmp_path / "grey.png")
    assert (grey.info.grey, grey.info.icc) == (True, None)
    profile = build_profile(SPACES["P3"], "P3")
    chunks = {b"cICP": bytes([2, 2, 0, 1]), b"iCCP": b"x\0\0" + zlib.compress(profile)}
    (tmp_path / "p3.png").write_bytes(png_with(chunks, colours()))
    assert read_picture(tmp_path / "p3.png").info.icc == profile


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_in_a_png_is_said(tmp_path, transfer):
    (tmp_path / "x.png").write_bytes(png_with({b"cICP": bytes([9, transfer, 0, 1])}, colours()))
    assert (
        "its HDR brightness is read as ordinary brightness" in read_picture(tmp_path / "x.png").info.remarks
    )


def test_adobe_rgb_that_exif_alone_names(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Lumiere"
    exif[0x8769] = {0xA001: 65535, 0xA005: {1: "R03"}}
    values = (SPACES["Adobe RGB"].from_srgb(colours() / 255.0) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "x.jpg", quality=100, subsampling=0, exif=exif.tobytes())
    read = read_picture(tmp_path / "x.jpg")
    assert float((read.rgb - from_uint8(colours())).abs().mean()) < WITHIN
    write_picture(read, tmp_path / "out.jpg", quality=100)
    assert np.abs(seen(tmp_path / "out.jpg") - colours()).mean() < 1.5


def test_colours_outside_of_srgb_are_clipped_and_said(tmp_path):
    pure = np.zeros((8, 8, 3), np.uint8)
    pure[..., 1] = 255
    Image.fromarray(pure).save(tmp_path / "x.png", icc_profile=build_profile(SPACES["P3"], "P3"))
    read = read_picture(tmp_path / "x.png")
    assert 0 <= float(read.rgb.min()) <= float(read.rgb.max()) <= 1
    assert "colours outside of sRGB are clipped" in read.info.remarks
