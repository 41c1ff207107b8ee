"""HEIC files, by libheif (pillow-heif)."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError
from lumiface.imaging.codec.colour_tags import profile_by_numbers
from lumiface.imaging.codec.exif import reset_orientation, with_size
from lumiface.imaging.codec.metadata import remarks_on_xmp, updated_xmp
from lumiface.imaging.codec.raster import Metadata, Raster
from lumiface.imaging.codec.samples import check_size, unpremultiplied

_WRITTEN_BITS = 10


def has_heif() -> bool:
    """Whether pillow-heif is installed."""
    try:
        _library()
    except ImportError:
        return False
    return True


def decode_heif(data: bytes, name: str, max_megapixels: float) -> Raster:
    """The main picture of a HEIC file, 8 bits or, of 10 and 12 bits, 16.

    Raises:
        InputError: pillow-heif is not installed, or the picture is too large.
    """
    try:
        library = _library()
    except ImportError:
        raise InputError(
            f"{name} is a HEIC picture, which needs pillow-heif: "
            'pip install "lumiface[heif]", or save it as JPEG'
        ) from None
    file = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    check_size(file.size, name, max_megapixels)
    bits = int(file.info.get("bit_depth") or 8)
    samples = np.array(file)  # decodes here
    samples = samples if samples.ndim == 3 else samples[:, :, None]
    if bits > 8:
        full = np.float64(65535) / (2**bits - 1)
        samples = (samples * full + 0.5).astype(np.uint16)
    if file.premultiplied_alpha and samples.shape[2] in (2, 4):
        samples = unpremultiplied(samples)
    remarks: list[str] = []
    if len(file) > 1:
        remarks.append(f"the main one of {len(file)} pictures in the file is kept")
    xmp = cast("bytes | None", file.info.get("xmp")) or None
    remarks.extend(remarks_on_xmp(xmp))
    exif = cast("bytes | None", file.info.get("exif"))
    if exif:
        try:  # libheif has turned the picture already, by the file's own tags
            exif = reset_orientation(exif)[1]
        except ValueError:
            exif = None
            remarks.append("its EXIF is damaged and dropped")
    icc = cast("bytes | None", file.info.get("icc_profile")) or None
    if icc is None:
        tags = cast("dict[str, int]", file.info.get("nclx_profile") or {})
        icc, remark = profile_by_numbers(tags.get("color_primaries"), tags.get("transfer_characteristics"))
        remarks.extend(remark)
    return Raster(
        cast("npt.NDArray[np.unsignedinteger[Any]]", samples),
        "HEIF",
        exif or None,
        icc,
        metadata=Metadata(xmp=xmp),
        remarks=tuple(remarks),
    )


def metadata_of_heif(data: bytes) -> Metadata:
    """The metadata of the main picture, which is not decoded.

    Raises:
        ImportError: pillow-heif is not installed.
    """
    file = _library().open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return Metadata(xmp=cast("bytes | None", file.info.get("xmp")) or None)


def encode_heif(raster: Raster, quality: int) -> bytes:
    """HEIC without chroma subsampling; 16 bits are stored as 10.

    Raises:
        ValueError: pillow-heif is not installed or cannot write.
    """
    try:
        library = _library()
    except ImportError:
        raise ValueError('HEIC needs pillow-heif: pip install "lumiface[heif]"') from None
    samples = raster.samples
    if samples.shape[2] <= 2:  # few programs read HEIC in grey
        samples = np.concatenate([samples[:, :, :1]] * 3 + [samples[:, :, 1:]], axis=2)
    height, width = samples.shape[:2]
    wide = samples.dtype == np.uint16
    mode = ("RGBA" if samples.shape[2] == 4 else "RGB") + (";16" if wide else "")
    file = library.from_bytes(mode=mode, size=(width, height), data=np.ascontiguousarray(samples).tobytes())
    metadata: dict[str, Any] = {
        "exif": with_size(raster.exif, width, height) if raster.exif else None,
        "xmp": updated_xmp(raster.metadata.xmp, width, height),
    }
    if raster.icc:
        metadata["icc_profile"] = raster.icc
    out = io.BytesIO()
    lossless = {"quality": -1, "matrix_coefficients": 0} if quality >= 100 else {"quality": quality}
    file.save(out, chroma=444, **lossless, **metadata)
    return out.getvalue()


def _library() -> Any:
    library: ModuleType = __import__("pillow_heif")
    options: Any = library.options
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    return library
