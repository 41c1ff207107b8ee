"""Samples → bytes of an image file. Pillow encodes 8 bits; PNG and TIFF with 16 bits are encoded here:
Pillow has no 16-bit colour, and OpenCV writes no EXIF (nor ICC before 4.11)."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from lumiface.imaging.codec.decode import DESCRIPTIVE_TAGS, EXIF_DIRECTORIES
from lumiface.imaging.codec.exif import EXIF_HEADER
from lumiface.imaging.codec.raster import Raster

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def encode(raster: Raster, quality: int) -> bytes:
    """Encode the samples in `raster.format`.

    JPEG is written without chroma subsampling; WebP is lossless at quality 100. PNG and TIFF take uint16.

    Raises:
        ValueError: the format does not support these samples (alpha: JPEG, BMP; 16 bits: JPEG, WebP, BMP).
    """
    samples = raster.samples
    if samples.shape[2] in (2, 4) and raster.format in ("JPEG", "BMP"):
        raise ValueError(f"{raster.format} has no transparency; write .png, .webp or .tif")
    if raster.format == "TIFF":
        return _tiff(raster)
    if samples.dtype == np.uint16:
        if raster.format != "PNG":
            raise ValueError(f"{raster.format} has no 16-bit samples; write .png or .tif")
        return _png_16(raster)
    return _with_pillow(raster, quality)


def _with_pillow(raster: Raster, quality: int) -> bytes:
    samples = raster.samples
    picture = Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    metadata: dict[str, Any] = {}
    if raster.format != "BMP":
        metadata = {"exif": raster.exif or b"", "icc_profile": raster.icc}
    settings: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": 0, "optimize": True},
        "WEBP": {"quality": quality, "lossless": quality >= 100, "exact": True},
    }
    out = io.BytesIO()
    picture.save(out, format=raster.format, **settings.get(raster.format, {}), **metadata)
    return out.getvalue()


def _png_16(raster: Raster) -> bytes:
    """PNG (third edition), sections 5 and 9: 16 bits big-endian, every row filtered by "up"."""
    height, width, channels = raster.samples.shape
    rows = np.frombuffer(raster.samples.astype(">u2").tobytes(), np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]  # modulo 256, as the filter is defined

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPES[channels], 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    if raster.icc:
        parts.append(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(raster.icc)))
    if raster.exif:
        parts.append(chunk(b"eXIf", raster.exif.removeprefix(EXIF_HEADER)))
    return b"".join([*parts, chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)), chunk(b"IEND", b"")])


def _tiff(raster: Raster) -> bytes:
    """TIFF 6.0 with one deflated strip and the horizontal predictor, 8 or 16 bits."""
    samples = raster.samples
    if samples.shape[2] == 2 and samples.dtype == np.uint16:
        samples = samples[
            :, :, [0, 0, 0, 1]
        ]  # few programs read 16-bit grey with alpha, Pillow among the others
    height, width, channels = samples.shape
    bits = samples.dtype.itemsize * 8
    strip = zlib.compress(_differences(samples).astype(f"<u{bits // 8}").tobytes(), 6)
    tags: dict[int, Any] = {
        256: width,
        257: height,
        258: (bits,) * channels,
        259: 8,  # deflate
        262: 1 if channels <= 2 else 2,  # black is zero, or RGB
        277: channels,
        278: height,
        279: len(strip),
        317: 2,  # horizontal differences
    }
    if channels in (2, 4):
        tags[338] = 2  # alpha, not premultiplied
    if raster.icc:
        tags[34675] = raster.icc
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in (tags | _tags_of_exif(raster.exif)).items():
        directory[tag] = value
    directory[273] = 0  # offset of the strip; Pillow adds the directory's own length when packing
    return b"II*\0" + struct.pack("<I", 8) + directory.tobytes(8) + strip


def _differences(samples: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.unsignedinteger[Any]]:
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return differences


def _tags_of_exif(exif: bytes | None) -> dict[int, Any]:
    if exif is None:
        return {}
    found = Image.Exif()
    found.load(exif)
    tags: dict[int, Any] = {tag: found[tag] for tag in DESCRIPTIVE_TAGS if tag in found}
    for directory in EXIF_DIRECTORIES:
        if content := found.get_ifd(directory):
            tags[directory] = dict(content)
    return tags
