"""Pictures as callers hold them ↔ `Picture`: files, bytes, file objects, Pillow's images, numpy arrays.

Whatever comes in, the same kind goes back: an array keeps dtype, dimensions and channels, bytes keep their
format, an image its mode, as far as it is one of plain samples.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.imaging.codec.decode import decode
from lumiface.imaging.codec.encode import encode, missing_for_writing
from lumiface.imaging.codec.formats import WRITABLE, Format
from lumiface.imaging.codec.image import image_of_raster, raster_of_image
from lumiface.imaging.color import luma
from lumiface.imaging.io import (
    MAX_MEGAPIXELS,
    ImageInfo,
    Picture,
    picture_of_planes,
    picture_of_raster,
    raster_of_picture,
    read_picture,
)
from lumiface.imaging.quantize import from_samples, to_samples

Same = TypeVar("Same", bytes, Image.Image, npt.NDArray[Any])
"""Kinds that come back as they are."""

_QUALITY = 95
_ROUNDING = 1e-3  # floats this far outside of 0..1 are rounding, and clipped
_WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_ARRAYS = "an array is (H, W), (H, W, 3) or (H, W, 4), of uint8, uint16 or floats from 0 to 1"


@overload
def open_any(source: str | os.PathLike[str] | Picture) -> tuple[Picture, Callable[[Picture], Picture]]: ...
@overload
def open_any(source: Same) -> tuple[Picture, Callable[[Picture], Same]]: ...
@overload
def open_any(source: BinaryIO) -> tuple[Picture, Callable[[Picture], io.BytesIO]]: ...
def open_any(source: Any) -> tuple[Picture, Callable[[Picture], Any]]:
    """Decode a picture of any kind, and tell the way back.

    Args:
        source: a path; a `Picture`; the bytes of an image file, or a binary file object, read from where it
            stands; an image of Pillow; or an array, RGB, upright: (H, W) grey, (H, W, 3), (H, W, 4) with
            alpha, or with one or two channels, of uint8, uint16 or floats from 0 to 1.

    Returns:
        the picture; and a function that turns a picture of any size into the source's kind. Of a path that is
        a `Picture`, of a file object an `io.BytesIO` at its beginning. An image is rotated upright by its
        EXIF, as a file is; palettes, CMYK and the like become RGB. Bytes are encoded in the format they had,
        camera RAW as TIFF.

    Raises:
        InputError: it is of another kind, empty, of another shape or type, out of range, or unreadable.
    """
    match source:
        case Picture():
            return source, lambda picture: picture
        case str() | os.PathLike():
            return read_picture(Path(cast("str | os.PathLike[str]", source))), lambda picture: picture
        case bytes() | bytearray() | memoryview():
            return _of_bytes(bytes(cast("bytes", source)), "the bytes given"), _to_bytes
        case Image.Image():
            return _of_image(source), lambda picture: _to_image(picture, source.mode)
        case np.ndarray():
            array = cast("npt.NDArray[Any]", source)
            return _of_array(array), lambda picture: _to_array(picture, array)
        case _ if hasattr(source, "read"):
            return _of_stream(source), lambda picture: io.BytesIO(_to_bytes(picture))
        case _:
            raise InputError(
                f"a {type(source).__name__} is no picture; give a path, bytes, a binary file object, an image"
                " of Pillow or a numpy array"
            )


def _of_bytes(data: bytes, name: str) -> Picture:
    return picture_of_raster(decode(data, name, MAX_MEGAPIXELS), None)


def _of_stream(stream: Any) -> Picture:
    name = str(getattr(stream, "name", "the file object"))
    try:
        data = stream.read()
    except (OSError, ValueError) as fault:  # closed, or opened for writing only
        raise InputError(f"{name} cannot be read ({fault}); open it with mode 'rb'") from fault
    if not isinstance(data, bytes):
        raise InputError(f"{name} gives {type(data).__name__}, not bytes; open it with mode 'rb'")
    if not data:
        raise InputError(f"{name} gives no bytes; if it was read or written before, rewind it by seek(0)")
    return _of_bytes(data, name)


def _to_bytes(picture: Picture) -> bytes:
    format_: Format = picture.info.format
    if format_ == "RAW":
        format_ = "TIFF"
    elif missing_for_writing(format_) or (picture.alpha is not None and not WRITABLE[format_].alpha):
        format_ = "PNG"
    return encode(raster_of_picture(picture, format_, Path("the result")), _QUALITY)


def _of_image(image: Image.Image) -> Picture:
    if 0 in image.size:
        raise InputError(f"the image is empty, {image.width}×{image.height} pixels")
    try:
        image.load()
        wide = np.asarray(image).astype(np.uint16)[:, :, None] if image.mode in _WIDE_MODES else None
        format_ = image.format if image.format in WRITABLE else "PNG"
        raster = raster_of_image(image, format_, wide)
    except (ValueError, OSError, SyntaxError) as fault:
        raise InputError(f"the image cannot be used ({fault}); convert it to L, RGB or RGBA") from fault
    return picture_of_raster(raster, None)


def _to_image(picture: Picture, mode: str) -> Image.Image:
    # PNG's abilities are those of an image in memory.
    picture = _with_alpha(picture) if mode in ("LA", "La", "RGBA", "RGBa", "PA") else picture
    return image_of_raster(raster_of_picture(picture, "PNG", Path("the result")))


def _of_array(array: npt.NDArray[Any]) -> Picture:
    if array.size == 0:
        raise InputError(f"the array is empty, of shape {array.shape}; {_ARRAYS}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4):
        hint = ""
        if array.ndim == 4:
            hint = " (one picture at a time)"
        elif array.ndim == 3 and array.shape[0] <= 4:
            hint = " (move the channels to the end: array.transpose(1, 2, 0))"
        raise InputError(f"an array of shape {array.shape} is no picture{hint}; {_ARRAYS}")
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind != "f" and (kind != "u" or size > 2):
        raise InputError(f"an array of {array.dtype} has no known range; {_ARRAYS}")
    array = array.reshape(*array.shape[:2], -1)
    if kind == "u":
        return picture_of_planes(from_samples(array), ImageInfo(bits=8 * size))
    samples = array.astype(np.float32)  # a copy
    _check_range(samples)
    planes = torch.from_numpy(samples).clamp_(0.0, 1.0).permute(2, 0, 1)[None].contiguous()
    return picture_of_planes(planes, ImageInfo())


def _check_range(samples: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(samples).all():
        raise InputError(
            "the array holds NaN or infinite values; replace them, for example by numpy.nan_to_num"
        )
    low, high = float(samples.min()), float(samples.max())
    if low < -_ROUNDING or high > 1.0 + _ROUNDING:
        mend = "clip it" if low >= -0.5 and high <= 1.5 else "divide it by its full scale, or give uint8"
        raise InputError(f"floats must lie from 0 to 1, but the array's from {low:g} to {high:g}; {mend}")


def _to_array(picture: Picture, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    channels = 1 if like.ndim == 2 else like.shape[2]
    picture = _with_alpha(picture) if channels in (2, 4) else picture
    planes = _planes(picture, grey=channels <= 2)
    if like.dtype.kind == "f":
        array = planes.permute(1, 2, 0).contiguous().cpu().numpy().astype(like.dtype)
    else:
        array = to_samples(planes, like.dtype.type)
    return array[:, :, 0] if like.ndim == 2 else array


def _planes(picture: Picture, *, grey: bool) -> Tensor:
    """(C, H, W): grey or RGB, and alpha if there is one."""
    rgb = luma(picture.rgb) if grey else picture.rgb
    return rgb[0] if picture.alpha is None else torch.cat((rgb, picture.alpha), dim=1)[0]


def _with_alpha(picture: Picture) -> Picture:
    """The picture with the opaque alpha that was left out when it was read."""
    if picture.alpha is not None:
        return picture
    return Picture(picture.rgb, torch.ones_like(picture.rgb[:, :1]), picture.info)
