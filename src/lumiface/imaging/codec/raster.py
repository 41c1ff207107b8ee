"""The decoded content of an image file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Format = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP"]

FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Upright samples with their metadata.

    Attributes:
        samples: (H, W, C), uint8 or uint16, C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
        format: of the file.
        exif: begins with b"Exif\\0\\0"; its orientation is 1.
        icc: the colour profile.
    """

    samples: npt.NDArray[np.unsignedinteger[Any]]
    format: Format
    exif: bytes | None = None
    icc: bytes | None = None
