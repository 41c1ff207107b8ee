"""Bytes of an image file → upright samples. Pillow decodes; OpenCV only where Pillow would lose 16 bits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import (  # each module registers its format when imported
    BmpImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from lumiface.core.errors import InputError
from lumiface.imaging.codec.exif import apply_orientation, reset_orientation
from lumiface.imaging.codec.raster import Format, Raster

_FORMATS: tuple[Format, ...] = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_PLUGINS = (BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
_PHONE_FORMATS = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")
_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0
_TIFF_PLANAR, _TIFF_SEPARATE = 284, 2
_TIFF_EXTRA_SAMPLES, _TIFF_PREMULTIPLIED = 338, 1
_TIFF_SAMPLE_FORMAT, _TIFF_UNSIGNED = 339, 1
_PNG_BIT_DEPTH, _PNG_COLOUR_TYPE = 24, 25  # offsets in the IHDR chunk, which is always the first
_PNG_GREY = (0, 4)

# Tags of a TIFF that describe the photograph, not its layout in the file.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
EXIF_DIRECTORIES = (0x8769, 0x8825)  # camera settings, GPS

# 8-bit mode -> the mode it is converted to; other modes are handled in `_samples_8` or refused.
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


def decode(data: bytes, name: str, max_megapixels: float) -> Raster:
    """Decode one picture, the first of a file with several.

    Raises:
        InputError: not an image, damaged, of an unsupported kind, or larger than `max_megapixels`; the size
            is read from the header, before pixels are decoded.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes); copy it again from its source")
    with _readable(name):
        picture, format_ = _open(data, name)
    width, height = picture.size
    if width * height > max_megapixels * 1e6:
        raise InputError(
            f"{name} has {width}×{height} = {width * height / 1e6:.0f} megapixels, more than the limit of"
            f" {max_megapixels:g}; make it smaller or raise max_megapixels"
        )
    with _readable(name):
        bits = _bits(picture, data)
        picture.load()
    if bits > 16 or not _unsigned(picture):
        raise InputError(f"{name} has signed, 32-bit or float samples; save it with 8 or 16 bits per channel")
    with _readable(name):
        icc = cast("bytes | None", picture.info.get("icc_profile")) or None
        orientation, exif = _exif(picture, name)
        if bits == 16:
            samples = _samples_16(data, picture)
        else:
            if picture.mode in ("CMYK", "LAB"):
                picture, icc = _convert_with_profile(picture, icc, name), None
            samples = _samples_8(picture)
    return Raster(apply_orientation(samples, orientation), format_, exif, icc)


def _open(data: bytes, name: str) -> tuple[ImageFile.ImageFile, Format]:
    """Read the header only. Not by `Image.open`, whose size limit is global; here the caller sets it."""
    for format_ in _FORMATS:
        factory, accepts = Image.OPEN[format_]
        if accepts is not None and accepts(data[:16]) is True:
            return factory(io.BytesIO(data), name), format_
    if data[4:12] in _PHONE_FORMATS:
        raise InputError(f"{name} is a HEIC or AVIF picture; save or export it as JPEG first")
    raise InputError(
        f"{name} is not a picture in a supported format (JPEG, PNG, WebP, TIFF, BMP); check the file"
    )


def is_avif(data: bytes) -> bool:
    """Whether the bytes are those of an AVIF file."""
    return data[4:12] == b"ftypavif"


def decode_avif(data: bytes, name: str, max_megapixels: float) -> npt.NDArray[np.uint8]:
    """(H, W, 3): the pictures of a pack, which `decode` refuses: a photograph's rotation is not applied.

    Raises:
        InputError: damaged, too large, or Pillow has no AVIF.
    """
    if not features.check("avif"):
        raise InputError(f"{name} is an AVIF picture, which Pillow reads from 11.3 on: pip install -U pillow")
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # packs hold small pictures, decoded by as many threads as cores
    with _readable(name):
        picture = AvifImagePlugin.AvifImageFile(io.BytesIO(data), name)
        if picture.width * picture.height > max_megapixels * 1e6:
            raise InputError(f"{name} has more than {max_megapixels:g} megapixels; make it smaller")
        return np.asarray(picture.convert("RGB"))


@contextmanager
def _readable(name: str) -> Generator[None]:
    """Turns any exception of a decoder into an InputError of one line, with the cause attached."""
    try:
        yield
    except InputError:
        raise
    except Exception as fault:  # OSError, SyntaxError, struct.error, ValueError, IndexError, ... by decoder
        reason = " ".join(str(fault).split()) or type(fault).__name__  # OpenCV's messages have several lines
        raise InputError(
            f"{name} cannot be read ({reason}): damaged, truncated or an unusual variant; copy it again or "
            "save it as PNG"
        ) from fault


def _bits(picture: Image.Image, data: bytes) -> int:
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        bits = picture.tag_v2.get(_TIFF_BITS_PER_SAMPLE, 1)
        return max(bits) if isinstance(bits, tuple) else int(bits)
    if isinstance(picture, PngImagePlugin.PngImageFile):
        return data[_PNG_BIT_DEPTH]
    return 8


def _unsigned(picture: Image.Image) -> bool:
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return True
    formats = picture.tag_v2.get(_TIFF_SAMPLE_FORMAT, _TIFF_UNSIGNED)
    return all(kind == _TIFF_UNSIGNED for kind in (formats if isinstance(formats, tuple) else (formats,)))


def _samples_8(picture: Image.Image) -> npt.NDArray[np.uint8]:
    mode = _PLAIN_MODES.get(picture.mode)
    if mode is None:
        raise ValueError(f"mode {picture.mode} is not supported")
    if picture.has_transparency_data and not mode.endswith("A"):
        mode = "LA" if mode == "L" else "RGBA"  # one colour, or some palette entries, marked as transparent
    samples = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return samples if samples.ndim == 3 else samples[:, :, None]


def _samples_16(data: bytes, picture: Image.Image) -> npt.NDArray[np.uint16]:
    import cv2

    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
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
        alpha = samples[:, :, 3:].astype(np.uint64)
        colour = (samples[:, :, :3] * np.uint64(65535) + alpha // 2) // np.maximum(alpha, 1)
        samples = np.concatenate((colour.clip(0, 65535), alpha), axis=2).astype(np.uint16)
    return cast("npt.NDArray[np.uint16]", samples)


def _convert_with_profile(picture: Image.Image, icc: bytes | None, name: str) -> Image.Image:
    """CMYK and Lab → sRGB, by the picture's own profile where it has one."""
    target = ImageCms.createProfile("sRGB")
    if picture.mode == "LAB":
        source: Any = ImageCms.createProfile("LAB")
    elif icc is None:
        return picture.convert("RGB")
    else:
        source = io.BytesIO(icc)
    try:
        converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except ImageCms.PyCMSError as fault:
        warnings.warn(f"{name}: its colour profile is unusable ({fault}) and ignored", stacklevel=2)
        return picture.convert("RGB")
    assert converted is not None  # only with inPlace=True
    return converted


def _exif(picture: Image.Image, name: str) -> tuple[int, bytes | None]:
    """Orientation and upright EXIF. Damaged EXIF is dropped with a warning, so that the picture is read."""
    try:
        raw = cast("bytes | None", picture.info.get("exif"))
        if isinstance(picture, TiffImagePlugin.TiffImageFile):
            raw = _exif_of_tiff(picture)
        elif raw is None and (found := picture.getexif()):  # older PNG writers store it in a text chunk
            raw = found.tobytes()
        return reset_orientation(raw) if raw else (1, None)
    except Exception as fault:
        warnings.warn(f"{name}: its EXIF is damaged and dropped ({fault})", stacklevel=2)
        return 1, None


def _exif_of_tiff(picture: TiffImagePlugin.TiffImageFile) -> bytes | None:
    found = picture.getexif()
    kept = Image.Exif()
    for tag in (*DESCRIPTIVE_TAGS, 0x0112):
        if tag in found:
            kept[tag] = found[tag]
    for directory in EXIF_DIRECTORIES:
        if content := found.get_ifd(directory):
            kept[directory] = dict(content)
    return kept.tobytes() if len(kept) else None
