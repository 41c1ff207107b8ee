"""PNG: texts and the like as chunks, and files of 16 bits, of which Pillow writes no colour."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL.PngImagePlugin import PngInfo

from lumiface.imaging.codec.exif import EXIF_HEADER, with_size
from lumiface.imaging.codec.metadata import updated_xmp
from lumiface.imaging.codec.raster import Raster

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_SIGNATURE = 8  # bytes before the first chunk
_PER_METRE = 1 / 0.0254
_LONG_TEXT = 1 << 12  # characters, from which on a text is compressed


def encode_png_16(raster: Raster) -> bytes:
    """PNG (third edition), sections 5 and 9: 16 bits big-endian, every row filtered by "up"."""
    height, width, channels = raster.samples.shape
    rows = np.frombuffer(raster.samples.astype(">u2").tobytes(), np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]  # modulo 256, as the filter is defined
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    if raster.icc:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(raster.icc)))
    if raster.exif:
        exif = with_size(raster.exif, width, height)
        parts.append(_chunk(b"eXIf", exif.removeprefix(EXIF_HEADER)))
    if dpi := raster.metadata.dpi:
        across, down = (round(value * _PER_METRE) for value in dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    parts += [_chunk(kind, content) for kind, content, *_ in text_chunks(raster).chunks]
    return b"".join([*parts, _chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)), _chunk(b"IEND", b"")])


def text_chunks(raster: Raster) -> PngInfo:
    """The texts of the metadata, among them XMP and a JPEG's or GIF's comment."""
    height, width = raster.samples.shape[:2]
    metadata, chunks = raster.metadata, PngInfo()
    texts = dict(metadata.text) | dict([metadata.note] if metadata.note else [])
    if metadata.comment and "Comment" not in texts:
        texts["Comment"] = metadata.comment.decode("utf-8", "replace").rstrip("\0")
    for key, value in texts.items():
        if not 0 < len(key) < 80:
            continue
        compress = len(value) >= _LONG_TEXT
        if value.isascii():
            chunks.add_text(key, value, zip=compress)
        else:
            chunks.add_itxt(key, value, zip=compress)
    if xmp := updated_xmp(metadata.xmp, width, height):
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return chunks


def chunk_of_png(data: bytes, kind: bytes) -> bytes | None:
    """The content of the first chunk of a kind, if it stands before the pixels; None: there is none."""
    at = _SIGNATURE
    while at + 8 <= len(data):
        size, found = struct.unpack(">I4s", data[at : at + 8])
        if found == kind:
            return data[at + 8 : at + 8 + size]
        if found == b"IDAT":
            return None
        at += size + 12
    return None


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
