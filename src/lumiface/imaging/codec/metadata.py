"""What travels with a picture beside its pixels: read from Pillow's picture, corrected for the result."""

from __future__ import annotations

import re
import struct
from typing import Any, cast

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from lumiface.imaging.codec.exif import reset_orientation
from lumiface.imaging.codec.raster import Metadata

# Tags of a TIFF that describe the photograph, not its layout in the file.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
EXIF_DIRECTORIES = (0x8769, 0x8825)  # camera settings, GPS
TIFF_XMP, TIFF_IPTC = 700, 33723
PHOTOSHOP_IPTC = 0x0404  # image resource of IPTC records
_ORIENTATION = 0x0112
_MAX_DPI = 100_000.0
_XMP_KEYS = ("XML:com.adobe.xmp", "Raw profile type xmp", "Raw profile type exif", "Raw profile type APP1")
_XMP_NUMBERS = {
    b"tiff:Orientation": None,
    b"tiff:ImageWidth": "width",
    b"tiff:ImageLength": "height",
    b"exif:PixelXDimension": "width",
    b"exif:PixelYDimension": "height",
}
_MOTION = (b"MotionPhoto", b"MicroVideo")


def exif_of(picture: Image.Image, raw: bytes | None = None) -> tuple[int, bytes | None, tuple[str, ...]]:
    """Orientation, upright EXIF, and a remark where it is damaged: then it is dropped."""
    try:
        raw = raw or cast("bytes | None", picture.info.get("exif"))
        if isinstance(picture, TiffImageFile):
            raw = _exif_of_tiff(picture)
        elif raw is None and (found := picture.getexif()):  # older PNG writers store it in a text chunk
            raw = found.tobytes()
        if not raw:
            return 1, None, ()
        return *reset_orientation(raw), ()
    except Exception:
        return 1, None, ("its EXIF is damaged and dropped",)


def metadata_of(picture: Image.Image) -> Metadata:
    """The metadata of a loaded picture. What is damaged counts as absent."""
    info: dict[Any, Any] = picture.info
    xmp, iptc = info.get("xmp"), None
    if isinstance(picture, TiffImageFile):
        xmp, iptc = _bytes(picture.tag_v2.get(TIFF_XMP)), _bytes(picture.tag_v2.get(TIFF_IPTC))
    elif isinstance(resources := info.get("photoshop"), dict):
        iptc = _bytes(cast("dict[int, Any]", resources).get(PHOTOSHOP_IPTC))
    text: tuple[tuple[str, str], ...] = ()
    if picture.format == "PNG":
        text = tuple(
            (key, str(value))
            for key, value in info.items()
            if isinstance(key, str) and isinstance(value, str) and key not in _XMP_KEYS
        )
    comment = info.get("comment")
    return Metadata(
        xmp=xmp.encode() if isinstance(xmp, str) else _bytes(xmp),
        iptc=iptc,
        comment=comment.encode() if isinstance(comment, str) else _bytes(comment),
        text=text,
        dpi=_dpi(info.get("dpi")),
    )


def remarks_on_xmp(xmp: bytes | None) -> tuple[str, ...]:
    """What a phone's file holds beside its picture, which is lost."""
    remarks: list[str] = []
    if xmp and any(name + b'="1"' in xmp for name in _MOTION):
        remarks.append("the video of a motion photo is not kept")
    if xmp and b"hdrgm:Version" in xmp:
        remarks.append("its HDR gain map is not kept")
    return tuple(remarks)


def updated_xmp(xmp: bytes | None, width: int, height: int) -> bytes | None:
    """The same packet with upright orientation and the size of the result, where it names them."""
    if xmp is None:
        return None
    for name, what in _XMP_NUMBERS.items():
        value = b"1" if what is None else str(width if what == "width" else height).encode()
        xmp = re.sub(name + rb"(\s*=\s*[\"'])\d+", lambda found, n=name, v=value: n + found[1] + v, xmp)
        xmp = re.sub(b"<" + name + rb">\s*\d+", b"<" + name + b">" + value, xmp)
    for name in _MOTION:
        xmp = xmp.replace(name + b'="1"', name + b'="0"')
    return xmp


def comment_with_note(metadata: Metadata) -> bytes | None:
    """The comment with the note as its last line."""
    if metadata.note is None:
        return metadata.comment
    line = ": ".join(metadata.note).encode()
    return metadata.comment.rstrip(b"\0\n") + b"\n" + line if metadata.comment else line


def iptc_segment(iptc: bytes) -> bytes:
    """APP13 of a JPEG with Photoshop's image resource of IPTC records; empty if they are too long for one."""
    resource = b"8BIM" + struct.pack(">HHI", PHOTOSHOP_IPTC, 0, len(iptc)) + iptc
    content = b"Photoshop 3.0\0" + resource + bytes(len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content if len(content) < 65_000 else b""


def exif_of_raw(data: bytes) -> bytes | None:
    """Upright EXIF of camera RAW that is laid out as a TIFF; None of others, or if it is damaged."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    try:
        found = Image.Exif()
        found.load(data)
        raw = _descriptive(found)
        return reset_orientation(raw)[1] if raw else None
    except Exception:  # whatever a damaged directory makes of it: the picture matters more
        return None


def _exif_of_tiff(picture: TiffImageFile) -> bytes | None:
    return _descriptive(picture.getexif())


def _descriptive(found: Image.Exif) -> bytes | None:
    kept = Image.Exif()
    for tag in (*DESCRIPTIVE_TAGS, _ORIENTATION):
        if tag in found:
            kept[tag] = found[tag]
    for directory in EXIF_DIRECTORIES:
        if content := found.get_ifd(directory):
            kept[directory] = dict(content)
    return kept.tobytes() if len(kept) else None


def _bytes(value: object) -> bytes | None:
    if isinstance(value, tuple):  # the records of IPTC as numbers of 32 bits, as Photoshop stores them
        try:
            return struct.pack(f"<{len(value)}I", *value)
        except struct.error:
            return None
    return bytes(value) if isinstance(value, (bytes, bytearray)) and value else None


def _dpi(value: object) -> tuple[float, float] | None:
    """Pixels per inch; None for absent or absurd values, and for 1 × 1, which means an aspect alone."""
    try:
        across, down = (float(number) for number in cast("tuple[Any, Any]", value))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 2.0 <= across <= _MAX_DPI and 2.0 <= down <= _MAX_DPI else None
