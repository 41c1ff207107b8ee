"""The decoded content of an image file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lumiface.imaging.codec.formats import FORMAT_OF_SUFFIX as FORMAT_OF_SUFFIX
from lumiface.imaging.codec.formats import Format as Format
from lumiface.imaging.codec.rgb_space import RgbSpace


@dataclass(frozen=True, slots=True)
class Metadata:
    """What travels with a picture beside EXIF and the colour profile.

    Attributes:
        xmp: the packet of XMP, as stored.
        iptc: the records of IPTC-IIM, as stored.
        comment: the comment of a JPEG or GIF.
        text: names and texts of a PNG.
        dpi: pixels per inch, horizontal and vertical.
        note: keyword and text: a text of a PNG, a line "keyword: text" in the comment of a GIF, or of a JPEG
            whose XMP is absent or too long.
    """

    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    note: tuple[str, str] | None = None


NO_METADATA = Metadata()


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one frame of an animation: milliseconds it is shown, and repetitions of the whole (0: for ever)."""

    milliseconds: float
    loop: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Upright samples with their metadata.

    Attributes:
        samples: (H, W, C), uint8 or uint16, C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
        format: of the file.
        exif: begins with b"Exif\\0\\0"; its orientation is 1.
        icc: the colour profile.
        space: the colour space of the samples by other tags than `icc` (PNG's gAMA and cHRM); None: sRGB.
        metadata: the rest.
        timing: of a frame of an animation.
        remarks: what could not be read or kept, in words for the user, without the file's name.
    """

    samples: npt.NDArray[np.unsignedinteger[Any]]
    format: Format
    exif: bytes | None = None
    icc: bytes | None = None
    space: RgbSpace | None = None
    metadata: Metadata = NO_METADATA
    timing: Timing | None = None
    remarks: tuple[str, ...] = ()
