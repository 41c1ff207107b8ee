"""Metadata: what editors, agencies and programs write into files is kept, and right for the new size."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo

from lumiface.imaging.codec.metadata import iptc_segment, updated_xmp
from lumiface.imaging.io import Picture, read_picture, write_picture

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"'
    b' tiff:ImageWidth="40"><dc:creator xmlns:dc="x">Lumiere</dc:creator></rdf:Description></rdf:RDF>'
    b"</x:xmpmeta>"
)
IPTC = b"\x1c\x02\x78\x00\x05party" + b"\x1c\x02\x50\x00\x07Lumiere"  # caption, by-line
WIDTH, HEIGHT, PIXEL_X, PIXEL_Y = 0x0100, 0x0101, 0xA002, 0xA003


def exif(size: int) -> bytes:
    found = Image.Exif()
    found[0x010F], found[WIDTH], found[HEIGHT] = "Lumiere", 40, 30
    found[0x8769] = {PIXEL_X: 40 if size == 2 else 70_000, PIXEL_Y: 30}
    return found.tobytes()


def shot(path: Path, **extra: object) -> None:
    """A small picture with everything that the format can hold."""
    picture = Image.fromarray(np.full((30, 40, 3), 99, np.uint8))
    options: dict[str, object] = {"exif": exif(2), "xmp": XMP, **extra}
    match path.suffix:
        case ".jpg":
            options |= {"dpi": (300, 300), "comment": b"scanned by uncle Bob", "extra": iptc_segment(IPTC)}
        case ".png":
            texts = PngInfo()
            texts.add_text("parameters", "Steps: 20, Seed: 7")
            texts.add_itxt("Title", "Fête de nuit")
            texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
            options = {"exif": exif(2), "dpi": (300, 300), "pnginfo": texts}
        case ".tif":
            tags = {0x010F: "Lumiere", 700: XMP, 33723: IPTC, 0x8769: {PIXEL_X: 40, PIXEL_Y: 30}}
            options = {"dpi": (300, 300), "tiffinfo": tags}
        case _:
            pass
    picture.save(path, **options)


def larger(picture: Picture) -> Picture:
    return replace(picture, rgb=picture.rgb.repeat_interleave(2, 2).repeat_interleave(2, 3))


def size_in_exif(data: bytes) -> tuple[object, ...]:
    found = Image.Exif()
    found.load(data)
    inner = found.get_ifd(0x8769)
    return inner.get(PIXEL_X), inner.get(PIXEL_Y)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif", ".heic"])
def test_all_that_the_format_can_hold_is_kept(tmp_path, suffix):
    source = tmp_path / f"x{suffix}"
    if suffix == ".heic":
        picture = Image.fromarray(np.full((30, 40, 3), 99, np.uint8))
        pytest.importorskip("pillow_heif").from_pillow(picture).save(source, exif=exif(2), xmp=XMP)
    else:
        shot(source)
    result = larger(read_picture(source))
    write_picture(result, tmp_path / f"out{suffix}")
    after = read_picture(tmp_path / f"out{suffix}").info
    assert after.metadata.xmp is not None
    assert b"Lumiere" in after.metadata.xmp
    assert after.exif is not None
    assert b"Lumiere" in after.exif
    assert size_in_exif(after.exif) == tuple(result.rgb.shape[:1:-1])
    if suffix in (".jpg", ".png", ".tif"):
        assert after.metadata.dpi == pytest.approx((300, 300), abs=0.01)
    if suffix in (".jpg", ".tif"):
        assert after.metadata.iptc is not None
        assert after.metadata.iptc.rstrip(b"\0") == IPTC
    if suffix == ".jpg":
        assert after.metadata.comment == b"scanned by uncle Bob"
    if suffix == ".png":
        assert dict(after.metadata.text) == {"parameters": "Steps: 20, Seed: 7", "Title": "Fête de nuit"}


def test_iptc_means_the_same_to_pillow(tmp_path):
    shot(tmp_path / "x.jpg")
    write_picture(read_picture(tmp_path / "x.jpg"), tmp_path / "out.jpg")
    records = IptcImagePlugin.getiptcinfo(Image.open(tmp_path / "out.jpg"))
    assert records is not None
    assert records[(2, 120)] == b"party"


@pytest.mark.parametrize("length", [32, 0x2020, 64_000, 70_000])
def test_iptc_of_any_length(tmp_path, length):
    records = b"\x1c\x02\x78" + (length & 0x7FFF).to_bytes(2, "big") + b"x" * length
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", extra=iptc_segment(records))
    stored = Image.open(io.BytesIO(out.getvalue())).info.get("photoshop", {}).get(0x0404)
    assert stored == (records if length < 65_000 else None)


def test_16_bits_keep_it_all_too(tmp_path):
    shot(tmp_path / "x.png")
    info = replace(read_picture(tmp_path / "x.png").info, bits=16)
    wide = Picture(torch.rand(1, 3, 60, 80), None, info)
    for suffix in (".png", ".tif"):
        write_picture(wide, tmp_path / f"out{suffix}")
        after = read_picture(tmp_path / f"out{suffix}").info
        assert after.bits == 16
        assert after.metadata.dpi == pytest.approx((300, 300), abs=0.01)
        assert after.metadata.xmp is not None
    assert dict(read_picture(tmp_path / "out.png").info.metadata.text)["Title"] == "Fête de nuit"


def test_the_size_in_exif_is_right_whatever_its_type(tmp_path):
    for kind in (2, 4):
        Image.new("RGB", (40, 30)).save(tmp_path / "x.jpg", exif=exif(kind))
        read = read_picture(tmp_path / "x.jpg")
        write_picture(Picture(torch.rand(1, 3, 12, 66_000), None, read.info), tmp_path / "out.png")
        stored = read_picture(tmp_path / "out.png").info.exif
        assert stored is not None
        assert size_in_exif(stored) == (66_000, 12)


def test_xmp_does_not_turn_the_picture_again():
    for stored in (
        XMP,
        XMP.replace(b'tiff:Orientation="6"', b"").replace(
            b"<dc:", b"<tiff:Orientation>6</tiff:Orientation><dc:"
        ),
    ):
        after = updated_xmp(stored, 80, 60)
        assert after is not None
        assert b"6<" not in after
        assert b'"6"' not in after
        assert b'tiff:ImageWidth="80"' in after


def test_metadata_crosses_formats_as_far_as_they_can_hold_it(tmp_path):
    shot(tmp_path / "x.jpg")
    read = read_picture(tmp_path / "x.jpg")
    for suffix in (".png", ".webp", ".tif", ".bmp", ".gif", ".avif"):
        write_picture(read, tmp_path / f"out{suffix}")
        after = read_picture(tmp_path / f"out{suffix}").info.metadata
        assert (after.xmp is not None) == (suffix not in (".bmp", ".gif"))
    text = dict(read_picture(tmp_path / "out.png").info.metadata.text)
    assert text["Comment"] == "scanned by uncle Bob"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_metadata_that_is_too_long_or_odd_stops_nothing(tmp_path, suffix):
    shot(tmp_path / "x.jpg")
    info = read_picture(tmp_path / "x.jpg").info
    odd = replace(
        info.metadata,
        xmp=b"<x>" + b"\xff" * 100_000,
        iptc=b"\x1c" * 90_000,
        comment=b"\xff\0" * 50_000,
        text=(("", "no name"), ("k" * 100, "long name"), ("emoji", "🎉"), ("nul", "a\0b")),
        dpi=(1e5, 1e5),
    )
    write_picture(
        Picture(torch.rand(1, 3, 8, 8), None, replace(info, metadata=odd)), tmp_path / f"out{suffix}"
    )
    assert read_picture(tmp_path / f"out{suffix}").rgb.shape == (1, 3, 8, 8)
