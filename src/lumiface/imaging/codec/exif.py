"""EXIF: orientation and size, read and corrected in place, and orientation applied to the samples.

EXIF is patched in place, not rewritten, so maker notes (whose offsets break when they move) survive.
Layout: TIFF 6.0, section 2; the tags: EXIF 2.32.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

EXIF_HEADER = b"Exif\0\0"
_ORIENTATION = 0x0112
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)  # ImageWidth, PixelXDimension; the same of the height
_EXIF_DIRECTORY, _INTEROPERABILITY, _INTEROPERABILITY_INDEX = 0x8769, 0xA005, 1
_SHORT, _LONG = 3, 4
_ENTRY = 12  # bytes: tag, type, count, value


def reset_orientation(exif: bytes) -> tuple[int, bytes]:
    """Read the orientation; return it, and the same EXIF with orientation 1 (upright).

    The embedded thumbnail is unlinked, too: it shows the picture before restoration.

    Args:
        exif: with or without the prefix b"Exif\\0\\0".

    Returns:
        orientation, 1..8 (1 if the tag is absent), and the EXIF with the prefix b"Exif\\0\\0".

    Raises:
        ValueError: the data is not EXIF, or truncated.
    """
    block = bytearray(exif.removeprefix(EXIF_HEADER))
    order = _byte_order(block)
    orientation = 1
    try:
        (directory,) = struct.unpack_from(order + "I", block, 4)
        for entry in _entries(block, order, directory):
            tag, kind, values, value = struct.unpack_from(order + "HHIH", block, entry)
            if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
                orientation = value if 1 <= value <= 8 else 1
                struct.pack_into(order + "H", block, entry + 8, 1)
        (count,) = struct.unpack_from(order + "H", block, directory)
        next_directory = directory + 2 + _ENTRY * count
        if next_directory + 4 <= len(block):
            struct.pack_into(order + "I", block, next_directory, 0)
    except struct.error as fault:
        raise ValueError(f"EXIF is truncated: {fault}") from fault
    return orientation, EXIF_HEADER + bytes(block)


def with_size(exif: bytes, width: int, height: int) -> bytes:
    """The same EXIF with the size of another picture, where it names one; damaged EXIF as it is."""
    block = bytearray(exif.removeprefix(EXIF_HEADER))
    try:
        order = _byte_order(block)
        (first,) = struct.unpack_from(order + "I", block, 4)
        inner = _value_of(block, order, first, _EXIF_DIRECTORY)
        for directory in (first,) if inner is None else (first, inner):
            for entry in _entries(block, order, directory):
                tag, kind, values = struct.unpack_from(order + "HHI", block, entry)
                if tag in (*_WIDTHS, *_HEIGHTS) and values == 1 and kind in (_SHORT, _LONG):
                    size = width if tag in _WIDTHS else height
                    struct.pack_into(order + "HII", block, entry + 2, _LONG, 1, size)
    except (struct.error, ValueError):
        return exif
    return exif[: len(exif) - len(block)] + bytes(block)


def is_adobe_rgb(exif: bytes | None) -> bool:
    """Whether a camera says by the interoperability index "R03" that it wrote Adobe RGB (DCF 2.0)."""
    block = bytearray((exif or b"").removeprefix(EXIF_HEADER))
    try:
        order = _byte_order(block)
        (directory,) = struct.unpack_from(order + "I", block, 4)
        for tag in (_EXIF_DIRECTORY, _INTEROPERABILITY):
            found = _value_of(block, order, directory, tag)
            if found is None:
                return False
            directory = found
        entries = (struct.unpack_from(order + "H6x4s", block, at) for at in _entries(block, order, directory))
        return any(tag == _INTEROPERABILITY_INDEX and text[:3] == b"R03" for tag, text in entries)
    except (struct.error, ValueError):
        return False


def _byte_order(block: bytearray) -> str:
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None:
        raise ValueError("EXIF starts with neither II nor MM")
    return order


def _entries(block: bytearray, order: str, directory: int) -> Iterator[int]:
    """The offsets of a directory's entries."""
    (count,) = struct.unpack_from(order + "H", block, directory)
    yield from range(directory + 2, directory + 2 + _ENTRY * count, _ENTRY)


def _value_of(block: bytearray, order: str, directory: int, wanted: int) -> int | None:
    for entry in _entries(block, order, directory):
        tag, kind, values, value = struct.unpack_from(order + "HHII", block, entry)
        if (tag, kind, values) == (wanted, _LONG, 1):
            return int(value)
    return None


def apply_orientation(samples: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Rotate and flip stored samples (H, W, C) upright, by the EXIF orientation 1..8."""
    if orientation >= 5:  # 5..8: rows and columns are swapped
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return np.ascontiguousarray(samples)
