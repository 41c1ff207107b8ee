"""The table of docs/use/formats.md, what goes in and what comes out, measured; as a script, it is written."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.imaging.codec.formats import FORMAT_OF_SUFFIX, WRITABLE, Format
from lumiface.imaging.codec.icc import build_profile
from lumiface.imaging.codec.raster import Metadata, Timing
from lumiface.imaging.codec.rgb_space import P3_PRIMARIES, SRGB_CURVE, rgb_space
from lumiface.imaging.frames import PictureWriter, read_pictures
from lumiface.imaging.io import ImageInfo, Picture, read_picture, write_picture

PAGE = Path(__file__).parents[2] / "docs" / "use" / "formats.md"
BEGIN, END = "<!-- formats -->\n", "<!-- /formats -->"
COLUMNS = (
    "format", "names", "lossless", "bits", "alpha", "profile", "EXIF", "XMP", "IPTC", "text", "DPI",
    "pages or frames",
)  # fmt: skip
NOTES = {"GIF": "¹", "HEIF": "²"}


def full(bits: int = 8) -> Picture:
    """Smooth colours with all that a file may carry."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 48), indexing="ij")
    rgb = torch.stack((x, y, 1 - x))[None]
    exif = Image.Exif()
    exif[0x010F] = "Lumiere"
    text = (("parameters", "Steps: 20"),)
    metadata = Metadata(
        b"<x:xmpmeta>1</x:xmpmeta>", b"\x1c\x02\x78\0\5party", b"by uncle Bob", text, (300, 300)
    )
    profile = build_profile(rgb_space(P3_PRIMARIES, SRGB_CURVE), "P3")
    return Picture(rgb, None, ImageInfo("PNG", bits, exif=exif.tobytes(), icc=profile, metadata=metadata))


def back(picture: Picture, path: Path, quality: int = 100) -> Picture:
    write_picture(picture, path, quality=quality)
    return read_picture(path)


def several(path: Path) -> str:
    writer = PictureWriter(path, 3)
    try:
        for number in range(3):
            rgb = torch.zeros(1, 3, 16, 16)
            rgb[..., 4 * number :] = 1
            writer.add(Picture(rgb, None, ImageInfo(timing=Timing(100, 0))))
        writer.close()
    except Exception:
        return "first"
    count = read_pictures(path).count
    return {"TIFF": "all pages"}.get(FORMAT_OF_SUFFIX[path.suffix], "all frames") if count == 3 else "first"


def measured(format_: Format, folder: Path) -> list[str]:
    """One row."""
    path = folder / f"x{WRITABLE[format_].suffix}"
    after = back(full(), path)
    wide = back(full(16), path)
    levels = len(np.unique((wide.rgb[0, 1].double() * 65535).round().numpy()))
    plain = Picture(torch.randint(0, 256, (1, 3, 24, 24)) / 255)
    exact = float((back(plain, path).rgb - plain.rgb).abs().max()) < 1e-6
    try:
        clear = back(Picture(plain.rgb, torch.linspace(0, 1, 576).view(1, 1, 24, 24)), path).alpha
        alpha = "no: .png" if clear is None else "yes" if len(clear.unique()) > 2 else "on or off"
    except Exception:
        alpha = "no: .png"
    info, metadata = after.info, after.info.metadata
    words = [word for word, kept in (("texts", metadata.text), ("comment", metadata.comment)) if kept]
    bits = f"8 ({'16' if format_ != 'HEIF' else '10 and 12'} {'kept' if format_ != 'HEIF' else 'as 10'})"
    names = " ".join(name for name, other in FORMAT_OF_SUFFIX.items() if other == format_)
    yes = {True: "yes", False: "no"}
    return [
        ("HEIC" if format_ == "HEIF" else "WebP" if format_ == "WEBP" else format_) + NOTES.get(format_, ""),
        f"`{names}`",
        "yes" if exact else "no",
        bits if wide.info.bits == 16 and levels > 24 else "8",
        alpha,
        "yes" if info.icc else "becomes sRGB",
        yes[b"Lumiere" in (info.exif or b"")],
        yes[metadata.xmp is not None],
        yes[bool(metadata.iptc)],
        words[0] if words else "no",
        yes[metadata.dpi is not None and abs(metadata.dpi[0] - 300) < 1],
        several(folder / f"y{WRITABLE[format_].suffix}"),
    ]


def table() -> str:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(format_, Path(folder)) for format_ in WRITABLE]
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page_with(rows: str) -> str:
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return head + BEGIN + rows + END + rest.split(END)[1]


def test_the_page_is_what_is_measured():
    pytest.importorskip("pillow_heif")
    assert PAGE.read_text(encoding="utf-8") == page_with(table()), f"run: python {Path(__file__).name}"


def test_every_ending_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"{suffix}" in text for suffix in FORMAT_OF_SUFFIX)


def test_what_the_list_of_abilities_says_is_what_happens(tmp_path):
    """`WRITABLE`, by which names are chosen, against files."""
    for format_, can in WRITABLE.items():
        path = tmp_path / f"x{can.suffix}"
        info = back(full(), path).info
        assert (info.icc is not None) == can.icc, format_
        assert (info.metadata.xmp is not None) == can.xmp, format_
        assert bool(info.metadata.iptc) == can.iptc, format_
        assert (info.metadata.dpi is not None) == can.dpi, format_
        assert (back(full(16), path).info.bits == 16) == can.wide, format_
        assert (several(path) != "first") == bool(can.several), format_


if __name__ == "__main__":
    PAGE.write_text(page_with(table()), encoding="utf-8")
