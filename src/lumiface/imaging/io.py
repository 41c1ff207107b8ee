"""Image files ↔ float RGB tensors.

Inside lumiface a picture is a float32 tensor (B, 3, H, W), RGB, sRGB-encoded, in [0, 1]. `ImageInfo` keeps
the file's other properties (format, bit depth, grey, EXIF, ICC), so that the result is written alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.errors import OutputError
from lumiface.core.files import read_bytes, write_bytes
from lumiface.imaging.codec.decode import decode, decode_avif, is_avif
from lumiface.imaging.codec.encode import encode
from lumiface.imaging.codec.raster import FORMAT_OF_SUFFIX, Format, Raster
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import reduce_to_uint8, to_samples

PICTURE_SUFFIXES = tuple(FORMAT_OF_SUFFIX)
"""The supported file name endings, in lower case: .jpg .jpeg .png .webp .tif .tiff .bmp"""

MAX_MEGAPIXELS = 200.0


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Properties of an image file other than its pixels.

    Attributes:
        format: of the content, independent of the file's name.
        bits: 8 or 16 per channel.
        grey: the file has one colour channel. `rgb` holds three equal ones; it is written as grey again.
        exif: begins with b"Exif\\0\\0"; its orientation is 1 because the picture has been rotated upright.
        icc: the colour profile. Values stay in its colour space throughout; they are not converted to sRGB.
        source: the file's path.
    """

    format: Format = "PNG"
    bits: int = 8
    grey: bool = False
    exif: bytes | None = None
    icc: bytes | None = None
    source: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One upright picture: `rgb` (1, 3, H, W) and `alpha` (1, 1, H, W) or None, float32 in [0, 1]."""

    rgb: Tensor
    alpha: Tensor | None = None
    info: ImageInfo = ImageInfo()


def read_picture(path: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read a JPEG, PNG, WebP, TIFF or BMP file, rotated upright by its EXIF orientation.

    A palette becomes RGB (RGBA if some entries are transparent). CMYK and Lab are converted to sRGB, CMYK by
    its own profile, and are written as RGB. Of a file with several pictures the first is read.

    Raises:
        InputError: the file is missing, a folder, empty, not an image, damaged, or larger than
            `max_megapixels` (checked in the header, before pixels are decoded).
    """
    path = Path(path)
    raster = decode(read_bytes(path), str(path), max_megapixels)
    channels = raster.samples.shape[2]
    bits = raster.samples.dtype.itemsize * 8
    planes = torch.from_numpy(raster.samples.astype(np.float32)).permute(2, 0, 1)[None] / float(2**bits - 1)
    colour = channels - 1 if channels in (2, 4) else channels
    rgb = planes[:, :colour].expand(-1, 3, -1, -1).contiguous()
    alpha = planes[:, colour:].contiguous() if channels > colour else None
    return Picture(rgb, alpha, ImageInfo(raster.format, bits, colour == 1, raster.exif, raster.icc, path))


def write_picture(picture: Picture, path: str | Path, *, quality: int = 95) -> None:
    """Write `picture` atomically, in the format of the path's suffix.

    Grey stays grey; alpha, EXIF and ICC are kept; 16 bits stay 16 bits if the format has them (PNG, TIFF).

    Args:
        quality: 1..100, of JPEG and WebP; at 100, WebP is lossless.

    Raises:
        OutputError: the suffix is unknown, the format has no transparency, alpha and colour differ in size,
            or the path is not writable.
    """
    path = Path(path)
    format_ = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if format_ is None:
        raise OutputError(f"{path}: unknown format; the name must end in one of {' '.join(PICTURE_SUFFIXES)}")
    info = picture.info
    planes = luma(picture.rgb) if info.grey else picture.rgb
    if picture.alpha is not None:
        if picture.alpha.shape[-2:] != picture.rgb.shape[-2:]:
            sizes = f"{tuple(picture.alpha.shape[-2:])} against {tuple(picture.rgb.shape[-2:])}"
            raise OutputError(
                f"{path}: alpha and colour differ in size, {sizes}; resize the alpha channel, too"
            )
        planes = torch.cat((planes, picture.alpha), dim=1)
    wide = info.bits == 16 and format_ in ("PNG", "TIFF")
    samples = to_samples(planes[0], np.uint16 if wide else np.uint8)
    try:
        data = encode(Raster(samples, format_, info.exif, info.icc), quality)
    except (ValueError, OSError) as fault:
        raise OutputError(f"{path}: {fault}") from fault
    write_bytes(path, data)


def decode_rgb8(data: bytes, name: str, *, max_megapixels: float = MAX_MEGAPIXELS) -> npt.NDArray[np.uint8]:
    """The bytes of an image file → (H, W, 3) uint8, upright. For data sets and metrics.

    Grey is repeated, alpha is dropped, 16 bits are rounded half up to 8. AVIF is read, too: packs hold it.

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
