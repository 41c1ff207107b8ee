"""Picture files ↔ float RGB, and the few colour formulas that everything shares.

Inside lumiface a picture is a float32 tensor (B, 3, H, W), RGB, sRGB-encoded, in [0, 1]. What the file was
beyond that (format, bits, grey, alpha, EXIF, ICC) travels along in `ImageInfo`, so that the same kind goes out.
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
from lumiface.imaging.codec.decode import decode
from lumiface.imaging.codec.encode import encode
from lumiface.imaging.codec.raster import FORMAT_OF_SUFFIX, Format, Raster
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import to_samples

PICTURE_SUFFIXES = tuple(FORMAT_OF_SUFFIX)
"""The file name endings that we read and write, in lower case: .jpg .jpeg .png .webp .tif .tiff .bmp"""

MAX_MEGAPIXELS = 200.0


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a picture file was, beyond its colours.

    Attributes:
        format: of the content, whatever the file is named.
        bits: 8 or 16 a channel.
        grey: one channel in the file. Its `rgb` holds three equal ones; written, it is grey again.
        exif: begins with b"Exif\\0\\0"; its orientation is 1 because the picture has been turned upright.
        icc: the colour profile. Values stay in its space from end to end; they are not converted to sRGB.
        source: where the picture came from.
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
    kind: ImageInfo = ImageInfo()


def read_picture(path: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read a JPEG, PNG, WebP, TIFF or BMP file, turned upright as its EXIF says.

    A palette becomes RGB (RGBA where some of it is transparent). CMYK and Lab are converted to sRGB, CMYK by
    its own profile, and go out as RGB. Of a file with several pictures the first is taken.

    Raises:
        InputError: in one line, a file that is missing, a folder, empty, no picture, damaged, or larger than
            `max_megapixels` (judged by the header, before anything is unpacked).
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
    """Write `picture` atomically, in the format of the path's suffix, and otherwise of its own kind.

    Grey stays grey, alpha, EXIF and ICC are kept, 16 bits stay 16 bits where the format has them (PNG, TIFF).

    Args:
        quality: 1..100, of JPEG and WebP; at 100, WebP is lossless.

    Raises:
        OutputError: in one line, an unknown suffix, a format that cannot hold transparency, sizes that
            differ, or a place where nothing can be written.
    """
    path = Path(path)
    format_ = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if format_ is None:
        raise OutputError(
            f"{path}: cannot tell the format; end the name in one of {' '.join(PICTURE_SUFFIXES)}"
        )
    kind = picture.kind
    planes = luma(picture.rgb) if kind.grey else picture.rgb
    if picture.alpha is not None:
        if picture.alpha.shape[-2:] != picture.rgb.shape[-2:]:
            sizes = f"{tuple(picture.alpha.shape[-2:])} against {tuple(picture.rgb.shape[-2:])}"
            raise OutputError(f"{path}: alpha and colour differ in size, {sizes}; enlarge the alpha as well")
        planes = torch.cat((planes, picture.alpha), dim=1)
    wide = kind.bits == 16 and format_ in ("PNG", "TIFF")
    samples = to_samples(planes[0], np.uint16 if wide else np.uint8)
    try:
        data = encode(Raster(samples, format_, kind.exif, kind.icc), quality)
    except (ValueError, OSError) as fault:
        raise OutputError(f"{path}: {fault}") from fault
    write_bytes(path, data)


def decode_rgb8(data: bytes, name: str, *, max_megapixels: float = MAX_MEGAPIXELS) -> npt.NDArray[np.uint8]:
    """The bytes of a picture file → (H, W, 3) uint8, upright. For data sets and metrics.

    Grey is repeated, alpha is dropped, 16 bits are rounded half up to 8.

    Raises:
        InputError: as `read_picture`; `name` is what the message calls the picture.
    """
    samples = decode(data, name, max_megapixels).samples
    if samples.dtype == np.uint16:
        samples = (samples.astype(np.uint32) * 510 + 65535) // 131070
    colour = samples[:, :, :1] if samples.shape[2] <= 2 else samples[:, :, :3]
    return np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)), dtype=np.uint8)


def encode_png(picture: Tensor | npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit RGB PNG of a (1, 3, H, W) or (3, H, W) float tensor in [0, 1], or of (H, W, 3) uint8."""
    if isinstance(picture, Tensor):
        picture = to_samples(picture.reshape(picture.shape[-3:]), np.uint8)
    return encode(Raster(picture, "PNG"), quality=100)
