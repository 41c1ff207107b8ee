"""Picture formats: their names, their first bytes, and what each can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

Format = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "RAW"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a file of a format can hold, as it is written here.

    Attributes:
        suffix: of a result whose source has no usable name ending.
        alpha: transparency.
        wide: more than 8 bits per channel: 16, in HEIC 10.
        several: "pages", "animation", or "" for one picture only.
        icc: colour profile.
        exif: camera data.
        xmp: editors' data.
        iptc: press data.
        text: named texts (PNG) or a comment (JPEG).
        dpi: pixels per inch.
    """

    suffix: str
    alpha: bool = True
    wide: bool = False
    several: Literal["pages", "animation", ""] = ""
    icc: bool = True
    exif: bool = True
    xmp: bool = True
    iptc: bool = False
    text: Literal["comment", "texts", ""] = ""
    dpi: bool = False

    @property
    def note(self) -> bool:
        """Whether a line of text about the picture has a place anywhere."""
        return self.xmp or bool(self.text)


WRITABLE: dict[Format, Abilities] = {
    "JPEG": Abilities(".jpg", alpha=False, iptc=True, text="comment", dpi=True),
    "PNG": Abilities(".png", wide=True, several="animation", text="texts", dpi=True),
    "WEBP": Abilities(".webp", several="animation"),
    "TIFF": Abilities(".tif", wide=True, several="pages", iptc=True, dpi=True),
    "BMP": Abilities(".bmp", alpha=False, icc=False, exif=False, xmp=False, dpi=True),
    "GIF": Abilities(".gif", several="animation", icc=False, exif=False, xmp=False, text="comment"),
    "AVIF": Abilities(".avif", several="animation"),
    "HEIF": Abilities(".heic", wide=True),
}
"""All formats but camera RAW, which is only read."""

FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".gif": "GIF",
    ".apng": "PNG",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
}

UNUSUAL_SUFFIXES = {".jfif": ".jpg", ".jpe": ".jpg"}
"""Names that few programs open -> the usual one, which results get unless the user names another."""

RAW_SUFFIXES = frozenset((
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
))  # fmt: skip
RAW_TARGET = ".tif"
"""The ending of a developed RAW's result, which has 16 bits."""

UNREAD_SUFFIXES = frozenset((
    ".bpg", ".dds", ".exr", ".flif", ".hdr", ".icns", ".ico", ".j2k", ".jp2", ".jpf", ".jps", ".jpx", ".jxl",
    ".jxr", ".kra", ".livp", ".mpo", ".pam", ".pbm", ".pcx", ".pdf", ".pfm", ".pgm", ".pnm", ".ppm", ".psb",
    ".psd", ".qoi", ".ras", ".sgi", ".tga", ".wdp", ".xcf",
))  # fmt: skip
"""Endings of pictures that are not read; in folders they are counted: nothing is left out in silence."""

_HEAD = 64
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_RAW_STARTS = (
    b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR",
)  # fmt: skip
_UNREAD_STARTS = {
    b"8BPS": "PSD",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"v/1\x01": "OpenEXR",
    b"gimp xcf": "XCF",
    b"qoif": "QOI",
    b"%PDF-": "PDF",
}
_PNM_START = re.compile(rb"P[1-6]\s(?:\s|#[^\n]*\n)*\d+\s+\d+\s")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_DNG_VERSION_LITTLE, _DNG_VERSION_BIG = b"\x12\xc6\x01\0\x04\0\0\0", b"\xc6\x12\0\x01\0\0\0\x04"
_DNG_SEARCH = 1 << 12  # the tag is in the first directory, which is at the beginning of all cameras' files


def sniff(data: bytes, name: str = "") -> Format | None:
    """The format of the content, whatever the file is called; None if it is no picture known here.

    Args:
        data: the file, or its beginning (4 KiB are enough).
        name: its name; tells camera RAW from TIFF, as which most of it begins.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(_RAW_STARTS) or data[4:11] == b"ftypcrx":
        return "RAW"
    if data.startswith(_TIFF_STARTS):
        return "RAW" if suffix_of(name) in RAW_SUFFIXES or _has_dng_version(data) else "TIFF"
    if data[4:8] == b"ftyp":
        return _of_brands(data[:_HEAD])
    return "BMP" if data.startswith(b"BM") else None


def unread_kind(data: bytes, name: str = "") -> str | None:
    """The kind of a picture that is not read, by content or name ("PSD", ".tga"); None if neither tells."""
    for start, kind in _UNREAD_STARTS.items():
        if data.startswith(start):
            return kind
    if _PNM_START.match(data):
        return "PNM"
    suffix = suffix_of(name)
    return suffix if suffix in UNREAD_SUFFIXES else None


def suffix_of(name: str) -> str:
    """The ending of a file name in lower case, with its dot."""
    return PurePath(name).suffix.lower()


def _of_brands(head: bytes) -> Format | None:
    """Brands of an ISO base media file (ISO/IEC 14496-12, 4.3): the major one, then the compatible ones."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    return "HEIF" if any(brand in _HEIF_BRANDS for brand in brands) else None


def _has_dng_version(data: bytes) -> bool:
    tag = _DNG_VERSION_LITTLE if data[:2] == b"II" else _DNG_VERSION_BIG
    return tag in data[:_DNG_SEARCH]


def plural_of(format_: Format) -> str:
    """What several pictures of one file are called."""
    return "pages" if format_ == "TIFF" else "frames"
