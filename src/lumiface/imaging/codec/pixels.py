"""Pillow's decoded picture → samples; 16-bit colour, which Pillow lacks, is decoded by OpenCV."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin, TiffImagePlugin

from lumiface.imaging.codec.samples import unpremultiplied

_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0
_TIFF_PLANAR, _TIFF_SEPARATE = 284, 2
_TIFF_EXTRA_SAMPLES, _TIFF_PREMULTIPLIED = 338, 1
_TIFF_SAMPLE_FORMAT, _TIFF_UNSIGNED = 339, 1
_PNG_BIT_DEPTH, _PNG_COLOUR_TYPE = 24, 25  # offsets in the IHDR chunk, which is always the first
_PNG_GREY = (0, 4)

# 8-bit mode -> the mode it is converted to; other modes are handled in `samples_8` or refused.
_PLAIN_MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "P": "RGB",
    "PA": "RGBA",
}


def bits_of(picture: Image.Image, data: bytes) -> int:
    """Bits per channel, from the header."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        bits = picture.tag_v2.get(_TIFF_BITS_PER_SAMPLE, 1)
        return max(bits) if isinstance(bits, tuple) else int(bits)
    if isinstance(picture, PngImagePlugin.PngImageFile):
        return data[_PNG_BIT_DEPTH]
    return 8


def unsigned(picture: Image.Image) -> bool:
    """False of a TIFF with signed or float samples."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return True
    formats = picture.tag_v2.get(_TIFF_SAMPLE_FORMAT, _TIFF_UNSIGNED)
    return all(kind == _TIFF_UNSIGNED for kind in (formats if isinstance(formats, tuple) else (formats,)))


def samples_8(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """(H, W, C) of any 8-bit mode; a palette becomes colours.

    Raises:
        ValueError: the mode is not supported.
    """
    mode = _PLAIN_MODES.get(picture.mode)
    if mode is None:
        raise ValueError(f"mode {picture.mode} is not supported")
    if picture.has_transparency_data and not mode.endswith("A"):
        mode = "LA" if mode == "L" else "RGBA"  # one colour, or some palette entries, marked as transparent
    samples = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return samples if samples.ndim == 3 else samples[:, :, None]


def samples_16(data: bytes, picture: Image.Image, page: int = 0) -> npt.NDArray[np.uint16]:
    """(H, W, C) of a 16-bit PNG or of one page of a TIFF.

    Raises:
        ValueError: OpenCV cannot decode it, or its planes are separate.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the reason is in our own line
    stored = np.frombuffer(data, np.uint8)
    samples: Any
    if page == 0:
        samples = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)
    else:
        _, pages = cv2.imdecodemulti(stored, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
        samples = pages[0] if pages else None
    if samples is None or samples.dtype != np.uint16 or samples.shape[1::-1] != picture.size:
        raise ValueError("its 16-bit samples cannot be decoded")
    grey = data[_PNG_COLOUR_TYPE] in _PNG_GREY if picture.format == "PNG" else picture.mode.startswith("I")
    if samples.ndim == 2:
        samples = samples[:, :, None]
    elif grey:
        samples = samples[:, :, [0, 3]] if samples.shape[2] == 4 else samples[:, :, :1]
    else:
        samples = samples[:, :, [2, 1, 0, 3][: samples.shape[2]]]  # OpenCV stores BGR
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return _apply_tiff_tags(samples, picture.tag_v2)
    if samples.shape[2] == 1 and "transparency" in picture.info:  # one level of grey marked as transparent
        opaque = (samples != picture.info["transparency"]) * 65535
        samples = np.concatenate((samples, opaque.astype(np.uint16)), axis=2)
    return cast("npt.NDArray[np.uint16]", samples)


def _apply_tiff_tags(samples: Any, tags: TiffImagePlugin.ImageFileDirectory_v2) -> npt.NDArray[np.uint16]:
    """The tags of a 16-bit TIFF that OpenCV ignores."""
    if samples.shape[2] > 1 and tags.get(_TIFF_PLANAR) == _TIFF_SEPARATE:
        raise ValueError("16-bit TIFF with separate colour planes")
    if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:
        samples = 65535 - samples
    if samples.shape[2] == 4 and _TIFF_PREMULTIPLIED in tags.get(_TIFF_EXTRA_SAMPLES, ()):
        samples = unpremultiplied(samples)
    return cast("npt.NDArray[np.uint16]", samples)
