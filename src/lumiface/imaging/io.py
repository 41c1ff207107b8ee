"""Image files ↔ float RGB tensors.

Inside lumiface a picture is a float32 tensor (B, 3, H, W), RGB, sRGB-encoded, in [0, 1]. `ImageInfo` keeps
the file's other properties (format, bit depth, grey, EXIF, profile), so that the result is written alike.
Files of several pictures, pages or frames, are in `frames`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.errors import OutputError
from lumiface.core.files import read_bytes, write_bytes
from lumiface.imaging.codec.decode import decode, decode_avif, is_avif
from lumiface.imaging.codec.encode import encode
from lumiface.imaging.codec.formats import FORMAT_OF_SUFFIX, WRITABLE, Format
from lumiface.imaging.codec.icc import Space
from lumiface.imaging.codec.raster import NO_METADATA, Metadata, Raster, Timing
from lumiface.imaging.color import luma
from lumiface.imaging.color_profile import from_srgb, read_colours, space_to_write
from lumiface.imaging.quantize import from_samples, reduce_to_uint8, to_samples
from lumiface.imaging.strips import Tile, strips
from lumiface.imaging.transparency import fill_hidden, visible_alpha

PICTURE_SUFFIXES = tuple(FORMAT_OF_SUFFIX)
"""The supported file name endings, in lower case: .jpg .jpeg .png .webp .tif .tiff .bmp .gif .avif .heic …"""

MAX_MEGAPIXELS = 200.0


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Properties of an image file other than its pixels.

    Attributes:
        format: of the content, independent of the file's name.
        bits: 8 or 16 per channel.
        grey: the file has one colour channel. `rgb` holds three equal ones; it is written as grey again.
        exif: begins with b"Exif\\0\\0"; its orientation is 1 because the picture has been rotated upright.
        icc: the file's colour profile. `rgb` is sRGB all the same; it is converted when read, and back into
            this profile when written.
        source: the file's path.
        metadata: XMP, IPTC, comment, texts, pixels per inch.
        timing: of a frame of an animation.
        remarks: what of the file could not be used or is not kept, in words for the user.
    """

    format: Format = "PNG"
    bits: int = 8
    grey: bool = False
    exif: bytes | None = None
    icc: bytes | None = None
    source: Path | None = None
    metadata: Metadata = NO_METADATA
    timing: Timing | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One upright picture: `rgb` (1, 3, H, W) and `alpha` (1, 1, H, W) or None, float32 in [0, 1].

    `spare`: no one needs it after the work on it, which may overwrite its values.
    """

    rgb: Tensor
    alpha: Tensor | None = None
    info: ImageInfo = ImageInfo()
    spare: bool = False


def read_picture(path: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC or camera RAW file, rotated upright.

    A palette becomes RGB (RGBA if some entries are transparent). Colours of another profile, and of PNG's
    gAMA, are converted to sRGB; those outside of it are clipped. CMYK and Lab are written as RGB. Opaque
    alpha is dropped, and colours that alpha hides are replaced by those around them. Of a file with several
    pictures the first is read, which `info.remarks` says.

    Raises:
        InputError: the file is missing, a folder, empty, not an image, damaged, larger than `max_megapixels`
            (checked in the header, before pixels are decoded), or of a kind whose library is not installed.
    """
    path = Path(path)
    return picture_of_raster(decode(read_bytes(path), str(path), max_megapixels), path)


def write_picture(picture: Picture, path: str | Path, *, quality: int = 95) -> None:
    """Write `picture` atomically, in the format of the path's suffix.

    Grey stays grey; alpha, profile and metadata are kept as far as the format has them, with EXIF's size
    corrected; 16 bits stay 16 bits in PNG and TIFF, and become 10 in HEIC.

    Args:
        quality: 1..100, of JPEG, WebP, AVIF and HEIC; at 100, WebP and HEIC are lossless.

    Raises:
        OutputError: the suffix is unknown, the format has no transparency, alpha and colour differ in size,
            a library is missing, or the path is not writable.
    """
    path = Path(path)
    try:
        data = encode(raster_of_picture(picture, format_of_path(path), path), quality)
    except (ValueError, OSError) as fault:
        raise OutputError(f"{path}: {fault}") from fault
    write_bytes(path, data)


def format_of_path(path: Path) -> Format:
    """The format that a file name asks for.

    Raises:
        OutputError: the suffix is unknown.
    """
    format_ = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if format_ is None:
        raise OutputError(f"{path}: unknown format; the name must end in one of {' '.join(PICTURE_SUFFIXES)}")
    return format_


def picture_of_raster(raster: Raster, path: Path | None) -> Picture:
    """Decoded samples → sRGB in [0, 1], with nothing hidden under transparency."""
    bits = raster.samples.dtype.itemsize * 8
    rgb, alpha, grey = _split(from_samples(raster.samples))
    rgb, icc, remarks = read_colours(rgb, raster, grey=grey)
    info = ImageInfo(
        raster.format,
        bits,
        grey,
        raster.exif,
        icc,
        path,
        raster.metadata,
        raster.timing,
        (*raster.remarks, *remarks),
    )
    return Picture(fill_hidden(rgb, alpha), alpha, info)


def picture_of_planes(planes: Tensor, info: ImageInfo) -> Picture:
    """sRGB in [0, 1], (1, C, H, W), C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA → a picture."""
    rgb, alpha, grey = _split(planes)
    return Picture(fill_hidden(rgb, alpha), alpha, replace(info, grey=grey))


def _split(planes: Tensor) -> tuple[Tensor, Tensor | None, bool]:
    """(1, C, H, W) → three equal or different colours, alpha unless it is opaque, and whether it is grey."""
    channels = planes.shape[1]
    colour = channels - 1 if channels in (2, 4) else channels
    rgb = planes[:, :colour].expand(-1, 3, -1, -1).contiguous()
    alpha = visible_alpha(planes[:, colour:].contiguous() if channels > colour else None)
    return rgb, alpha, colour == 1


def raster_of_picture(picture: Picture, format_: Format, path: Path) -> Raster:
    """The samples of a picture as a format holds them, in the picture's own profile.

    Raises:
        OutputError: alpha and colour differ in size.
    """
    info, can = picture.info, WRITABLE.get(format_)
    wide = info.bits == 16 and can is not None and can.wide
    # These write grey as three equal channels, to which a profile of grey does not fit.
    holds_grey = format_ in ("JPEG", "PNG") or (
        format_ == "TIFF" and not (wide and picture.alpha is not None)
    )
    profile = info.icc if can and can.icc else None
    space, icc = space_to_write(profile, grey=info.grey, holds_grey=holds_grey)
    if picture.alpha is not None and picture.alpha.shape[-2:] != picture.rgb.shape[-2:]:
        sizes = f"{tuple(picture.alpha.shape[-2:])} against {tuple(picture.rgb.shape[-2:])}"
        raise OutputError(f"{path}: alpha and colour differ in size, {sizes}; resize the alpha channel, too")
    dtype = np.uint16 if wide else np.uint8
    height, width = picture.rgb.shape[-2:]
    channels = (1 if info.grey else 3) + (picture.alpha is not None)
    samples: npt.NDArray[Any] = np.empty((height, width, channels), dtype)
    for strip in strips(height, width):
        samples[strip.top : strip.bottom] = to_samples(_planes_to_write(picture, strip, space)[0], dtype)
    return Raster(samples, format_, info.exif, icc, metadata=info.metadata, timing=info.timing)


def _planes_to_write(picture: Picture, strip: Tile, space: Space | None) -> Tensor:
    """The planes of a strip of a picture as its file has them: (1, C, h, w), in its colour space."""
    rgb = strip.place(picture.rgb)
    if picture.info.grey:
        rgb = luma(rgb).expand(-1, 3, -1, -1)
    if space is not None:
        rgb = from_srgb(rgb, space)
    planes = rgb[:, 1:2] if picture.info.grey else rgb
    return planes if picture.alpha is None else torch.cat((planes, strip.place(picture.alpha)), dim=1)


def decode_rgb8(data: bytes, name: str, *, max_megapixels: float = MAX_MEGAPIXELS) -> npt.NDArray[np.uint8]:
    """The bytes of an image file → (H, W, 3) uint8, upright. For data sets and metrics.

    Grey is repeated, alpha is dropped, 16 bits are rounded half up to 8. Values are those of the file: a
    colour profile is not applied.

    Args:
        name: the picture's name in error messages.

    Raises:
        InputError: as `read_picture`.
    """
    if is_avif(data):
        return decode_avif(data, name, max_megapixels)
    samples = decode(data, name, max_megapixels).samples
    if samples.dtype == np.uint16:
        samples = reduce_to_uint8(samples)
    colour = samples[:, :, :1] if samples.shape[2] <= 2 else samples[:, :, :3]
    return np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)), dtype=np.uint8)


def encode_png(picture: Tensor | npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit RGB PNG of a (1, 3, H, W) or (3, H, W) float tensor in [0, 1], or of (H, W, 3) uint8."""
    if isinstance(picture, Tensor):
        picture = to_samples(picture.reshape(picture.shape[-3:]), np.uint8)
    return encode(Raster(picture, "PNG"), quality=100)
