"""What a picture file holds once it is unpacked."""

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
    """Upright samples with the metadata that travels along.

    `samples` is (H, W, C), uint8 or uint16, C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
    `exif` begins with b"Exif\\0\\0", and its orientation is 1.
    """

    samples: npt.NDArray[np.unsignedinteger[Any]]
    format: Format
    exif: bytes | None = None
    icc: bytes | None = None
