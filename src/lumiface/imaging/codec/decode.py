"""Bytes of an image file → upright samples. Pillow decodes; OpenCV only where Pillow would lose 16 bits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from lumiface.core.errors import InputError
from lumiface.imaging.codec.colour_tags import numbers_of_file, profile_by_numbers
from lumiface.imaging.codec.formats import Format, plural_of, sniff, suffix_of, unread_kind
from lumiface.imaging.codec.heif import decode_heif, metadata_of_heif
from lumiface.imaging.codec.image import raster_of_image
from lumiface.imaging.codec.metadata import exif_of_raw, metadata_of
from lumiface.imaging.codec.pixels import bits_of, samples_16, unsigned
from lumiface.imaging.codec.quiet import quiet_stderr
from lumiface.imaging.codec.raster import Metadata, Raster, Timing
from lumiface.imaging.codec.raw import decode_raw
from lumiface.imaging.codec.samples import check_size

_OPENERS: dict[Format, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}
_TIFF_KIND, _REDUCED_OR_MASK = 254, 0b101  # NewSubfileType: a thumbnail, a mask
_MAX_FRAMES = 100_000
_TALKATIVE = ("TIFF", "PNG", "RAW")  # libtiff, libpng of OpenCV, and LibRaw write to standard error


@dataclass(frozen=True, slots=True)
class Rasters:
    """The pictures of one file, decoded one at a time, in order.

    Attributes:
        format: of the content.
        count: how many pictures there are.
        pictures: yields each once; raises InputError where one is damaged.
    """

    format: Format
    count: int
    pictures: Iterator[Raster]


def decode(data: bytes, name: str, max_megapixels: float) -> Raster:
    """Decode one picture, the first of a file with several, which is remarked on.

    Raises:
        InputError: not an image, damaged, of an unsupported kind, or larger than `max_megapixels`; the size
            is read from the header, before pixels are decoded.
    """
    rasters = decode_all(data, name, max_megapixels)
    first = next(rasters.pictures)
    if rasters.count == 1:
        return first
    remark = f"first of {rasters.count} {plural_of(rasters.format)} kept"
    return replace(first, remarks=(*first.remarks, remark))


def decode_all(data: bytes, name: str, max_megapixels: float) -> Rasters:
    """All pages of a TIFF or frames of an animation (GIF, WebP, PNG, AVIF); of other files the main picture.

    Pages that are thumbnails or masks of others are left out.

    Args:
        name: of the file; its ending tells camera RAW from TIFF.

    Raises:
        InputError: as `decode`; of later pictures, when their turn comes.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes); copy it again from its source")
    format_ = sniff(data, name)
    if format_ is None:
        raise _unknown(data, name)
    if format_ in ("HEIF", "RAW"):
        return Rasters(format_, 1, _by_library(data, name, format_, max_megapixels))
    if format_ == "AVIF":
        _require_avif(name)
    with _readable(name, format_):
        # Not by `Image.open`, whose size limit is global; here the caller sets it.
        picture = _OPENERS[format_](io.BytesIO(data), name)
    check_size(picture.size, name, max_megapixels)
    with _readable(name, format_):
        indices = _indices(picture)
    return Rasters(format_, len(indices), _frames(picture, data, name, format_, indices, max_megapixels))


def decode_metadata(data: bytes, name: str) -> Iterator[Metadata]:
    """The metadata of a file's picture, of a TIFF that of each page; no pixels are decoded. Of camera RAW,
    whose metadata are EXIF, nothing.

    Raises:
        InputError: not an image, damaged, or of a kind whose library is not installed.
    """
    format_ = sniff(data, name) if data else None
    if format_ is None:
        raise _unknown(data, name)
    if format_ == "RAW":
        return
    with _readable(name, format_):
        if format_ == "HEIF":
            yield metadata_of_heif(data)
            return
        picture = _OPENERS[format_](io.BytesIO(data), name)
        for index in range(int(getattr(picture, "n_frames", 1)) if format_ == "TIFF" else 1):
            picture.seek(index)
            yield metadata_of(picture)


def is_avif(data: bytes) -> bool:
    """Whether the bytes are those of an AVIF file."""
    return data[4:12] == b"ftypavif"


def decode_avif(data: bytes, name: str, max_megapixels: float) -> npt.NDArray[np.uint8]:
    """(H, W, 3): the pictures of a pack; unlike by `decode`, a photograph's rotation is not applied.

    Raises:
        InputError: damaged, too large, or Pillow has no AVIF.
    """
    _require_avif(name)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # packs hold small pictures, decoded by as many threads as cores
    with _readable(name):
        picture = AvifImagePlugin.AvifImageFile(io.BytesIO(data), name)
        if picture.width * picture.height > max_megapixels * 1e6:
            raise InputError(f"{name} has more than {max_megapixels:g} megapixels; make it smaller")
        return np.asarray(picture.convert("RGB"))


def _require_avif(name: str) -> None:
    if not features.check("avif"):
        raise InputError(f"{name} is an AVIF picture, which Pillow reads from 11.3 on: pip install -U pillow")


@contextmanager
def _readable(name: str, format_: Format | None = None) -> Generator[None]:
    """Turns any exception of a decoder into an InputError of one line, with the cause attached."""
    try:
        with warnings.catch_warnings(), quiet_stderr() if format_ in _TALKATIVE else nullcontext():
            warnings.simplefilter(
                "ignore"
            )  # Pillow's, of what it reads nevertheless, without the file's name
            yield
    except InputError:
        raise
    except Exception as fault:  # OSError, SyntaxError, struct.error, ValueError, IndexError, ... by decoder
        reason = " ".join(str(fault).split()) or type(fault).__name__  # OpenCV's messages have several lines
        raise InputError(
            f"{name} cannot be read ({reason}): damaged, truncated or an unusual variant; copy it again or "
            "save it as PNG"
        ) from fault


def _unknown(data: bytes, name: str) -> InputError:
    kind = unread_kind(data, name)
    if kind is not None:
        return InputError(f"{name} is a {kind} picture, which is not read; save it as PNG or JPEG first")
    return InputError(
        f"{name} is not a picture in a supported format (JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC, camera "
        "RAW); check the file"
    )


def _by_library(data: bytes, name: str, format_: Format, max_megapixels: float) -> Iterator[Raster]:
    with _readable(name, format_):
        if format_ == "HEIF":
            raster = decode_heif(data, name, max_megapixels)
        else:
            raster = decode_raw(data, name, max_megapixels, exif_of_raw(data))
    yield raster


def _indices(picture: ImageFile.ImageFile) -> list[int]:
    """The numbers of the frames or pages that are pictures of their own."""
    if picture.format not in ("TIFF", "GIF", "WEBP", "PNG", "AVIF"):  # JPEG's others: previews, gain maps
        return [0]
    count = int(getattr(picture, "n_frames", 1))
    if count == 1:
        return [0]
    if count > _MAX_FRAMES:
        raise ValueError(f"it claims to hold {count} frames")
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return list(range(count))
    own: list[int] = []
    for index in range(count):
        with suppress(EOFError):
            picture.seek(index)
            kind = picture.tag_v2.get(_TIFF_KIND, 0)
            if not (isinstance(kind, int) and kind & _REDUCED_OR_MASK):
                own.append(index)
    return own or [0]


def _frames(
    picture: ImageFile.ImageFile,
    data: bytes,
    name: str,
    format_: Format,
    indices: list[int],
    max_megapixels: float,
) -> Iterator[Raster]:
    animated = len(indices) > 1 and format_ != "TIFF"
    for index in indices:
        label = name if len(indices) == 1 else f"{name} ({'frame' if animated else 'page'} {index + 1})"
        with _readable(label, format_):
            if picture.tell() != index:
                picture.seek(index)
            check_size(picture.size, label, max_megapixels)
            made = [_raster(picture, data, label, format_, index, animated)]
        if index == indices[-1]:
            picture.close()  # Pillow's copy of the pixels
        yield made.pop()  # so that nothing here holds them while the caller works on them


def _raster(
    picture: ImageFile.ImageFile, data: bytes, name: str, format_: Format, index: int, animated: bool
) -> Raster:
    bits = bits_of(picture, data)
    picture.load()
    if bits > 16 or not unsigned(picture):
        raise InputError(f"{name} has signed, 32-bit or float samples; save it with 8 or 16 bits per channel")
    wide = bits == 16 and not animated and picture.mode not in ("CMYK", "LAB")
    raster = raster_of_image(picture, format_, samples_16(data, picture, index) if wide else None)
    numbers = numbers_of_file(data, format_)
    if numbers is not None and (format_ == "PNG" or raster.icc is None):  # PNG's go before its profile
        icc, remarks = profile_by_numbers(*numbers)
        icc = icc if raster.samples.shape[2] > 2 else None  # grey has no primaries
        raster = replace(raster, icc=icc, space=None, remarks=(*raster.remarks, *remarks))
    return replace(
        raster,
        timing=_timing(picture) if animated else None,
        remarks=(*raster.remarks, *_remarks_on_others(name)),
    )


def _remarks_on_others(name: str) -> tuple[str, ...]:
    return ("the first picture of the stereo pair is kept",) if suffix_of(name) == ".mpo" else ()


def _timing(picture: Image.Image) -> Timing:
    loop = picture.info.get("loop")
    if loop is None and picture.format == "AVIF":  # Pillow does not tell; animations of AVIF usually go on
        loop = 0
    return Timing(
        float(cast("float", picture.info.get("duration", 100) or 0)), loop if isinstance(loop, int) else None
    )
