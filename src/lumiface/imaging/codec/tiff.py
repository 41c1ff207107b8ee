"""TIFF 6.0 of one or more pages, 8 or 16 bits; Pillow writes no 16-bit colour, and OpenCV no EXIF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from lumiface.imaging.codec.exif import with_size
from lumiface.imaging.codec.metadata import (
    DESCRIPTIVE_TAGS,
    EXIF_DIRECTORIES,
    TIFF_IPTC,
    TIFF_XMP,
    updated_xmp,
)
from lumiface.imaging.codec.raster import Raster

_HEADER = b"II*\0"
_OFFSET = 8  # of the first page's directory
_ENTRY = 12  # bytes of a directory's entry
_LIMIT = 2**32 - 2**20
_DIRECTORY, _PAGE_NUMBER = 254, 297
_PAGE_OF_SEVERAL = 2
_INCH = 2


def encode_tiff(raster: Raster) -> bytes:
    """A file of one page."""
    return join_pages([encode_page(raster, _OFFSET, None)])


def encode_page(raster: Raster, offset: int, number: int | None) -> bytes:
    """One page: its directory, then one deflated strip with the horizontal predictor.

    Args:
        offset: where in the file it will begin.
        number: of the page, from 0, in a file of several.
    """
    samples = raster.samples
    if samples.shape[2] == 2 and samples.dtype == np.uint16:
        # Few programs read 16-bit grey with alpha, Pillow among the others.
        samples = samples[:, :, [0, 0, 0, 1]]
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
    if number is not None:
        tags |= {_DIRECTORY: _PAGE_OF_SEVERAL, _PAGE_NUMBER: (number, 0)}
    if channels in (2, 4):
        tags[338] = 2  # alpha, not premultiplied
    if raster.icc:
        tags[34675] = raster.icc
    directory = ImageFileDirectory_v2(_HEADER + bytes(4))
    for tag, value in (tags | _tags_of_metadata(raster) | _tags_of_exif(raster.exif, width, height)).items():
        directory[tag] = value
    directory[273] = 0  # offset of the strip; Pillow adds the directory's own length when packing
    packed = directory.tobytes(offset)
    return packed + strip + bytes((len(packed) + len(strip)) % 2)


def join_pages(pages: Sequence[bytes]) -> bytes:
    """A file of pages, each made for the place where it comes to lie.

    Raises:
        ValueError: they are more than 4 GB, which TIFF cannot address.
    """
    if _OFFSET + sum(map(len, pages)) > _LIMIT:
        raise ValueError("the pages together exceed the 4 GB of a TIFF; split the file")
    parts = [bytearray(page) for page in pages]
    end = _OFFSET
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        end += len(part)
        (count,) = struct.unpack_from("<H", part, 0)
        struct.pack_into("<I", part, 2 + _ENTRY * count, 0 if following is None else end)
    return b"".join([_HEADER, struct.pack("<I", _OFFSET), *parts])


def _differences(samples: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.unsignedinteger[Any]]:
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return differences


def _tags_of_metadata(raster: Raster) -> dict[int, Any]:
    height, width = raster.samples.shape[:2]
    metadata, tags = raster.metadata, {}
    if xmp := updated_xmp(metadata.xmp, width, height):
        tags[TIFF_XMP] = xmp
    if metadata.iptc:
        tags[TIFF_IPTC] = metadata.iptc
    if metadata.dpi:
        across, down = (IFDRational(round(value * 1000), 1000) for value in metadata.dpi)
        tags |= {282: across, 283: down, 296: _INCH}
    return tags


def _tags_of_exif(exif: bytes | None, width: int, height: int) -> dict[int, Any]:
    if exif is None:
        return {}
    found = Image.Exif()
    found.load(with_size(exif, width, height))
    tags: dict[int, Any] = {tag: found[tag] for tag in DESCRIPTIVE_TAGS if tag in found}
    for directory in EXIF_DIRECTORIES:
        if content := found.get_ifd(directory):
            tags[directory] = dict(content)
    return tags
