"""The EXIF orientation: read, reset in place, and applied to the samples.

EXIF is patched in place, not rewritten, so maker notes (whose offsets break when they move) survive.
Layout: TIFF 6.0, section 2; the orientations: EXIF 2.32, tag 0x0112.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

EXIF_HEADER = b"Exif\0\0"
_ORIENTATION = 0x0112
_SHORT = 3
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
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None:
        raise ValueError("EXIF starts with neither II nor MM")
    orientation = 1
    try:
        (directory,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, directory)
        for entry in range(directory + 2, directory + 2 + _ENTRY * count, _ENTRY):
            tag, kind, values, value = struct.unpack_from(order + "HHIH", block, entry)
            if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
                orientation = value if 1 <= value <= 8 else 1
                struct.pack_into(order + "H", block, entry + 8, 1)
        next_directory = directory + 2 + _ENTRY * count
        if next_directory + 4 <= len(block):
            struct.pack_into(order + "I", block, next_directory, 0)
    except struct.error as fault:
        raise ValueError(f"EXIF is truncated: {fault}") from fault
    return orientation, EXIF_HEADER + bytes(block)


def apply_orientation(samples: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Rotate and flip stored samples (H, W, C) upright, by the EXIF orientation 1..8."""
    if orientation >= 5:  # 5..8: rows and columns are swapped
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return np.ascontiguousarray(samples)
