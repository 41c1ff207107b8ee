"""Samples → bytes of an image file. Pillow encodes 8 bits; PNG and TIFF of 16 bits are encoded here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, features

from lumiface.imaging.codec.exif import with_size
from lumiface.imaging.codec.formats import WRITABLE, Format
from lumiface.imaging.codec.heif import encode_heif, has_heif
from lumiface.imaging.codec.metadata import comment_with_note, iptc_segment, updated_xmp
from lumiface.imaging.codec.png import encode_png_16, text_chunks
from lumiface.imaging.codec.raster import Raster, Timing
from lumiface.imaging.codec.tiff import encode_tiff

_LONGEST_SEGMENT = 65_000  # bytes of a JPEG's segment, with room for its name


def missing_for_writing(format_: Format) -> str | None:
    """What to install before a format can be written; None if nothing is missing."""
    if format_ == "HEIF" and not has_heif():
        return 'HEIC needs pillow-heif: pip install "lumiface[heif]"'
    if format_ == "AVIF" and not features.check("avif"):
        return "AVIF needs Pillow from 11.3 on: pip install -U pillow"
    return "camera RAW cannot be written" if format_ not in WRITABLE else None


def encode(raster: Raster, quality: int) -> bytes:
    """Encode the samples in `raster.format`.

    JPEG, AVIF and HEIC are written without chroma subsampling; WebP and HEIC are lossless at quality 100. PNG
    and TIFF take uint16, HEIC as 10 bits.

    Raises:
        ValueError: the format does not support these samples (alpha: JPEG, BMP; 16 bits: all but PNG, TIFF
            and HEIC), or a library is missing.
    """
    samples, format_ = raster.samples, raster.format
    if missing := missing_for_writing(format_):
        raise ValueError(missing)
    if samples.shape[2] in (2, 4) and not WRITABLE[format_].alpha:
        raise ValueError(f"{format_} has no transparency; write .png, .webp or .tif")
    if samples.dtype == np.uint16 and not WRITABLE[format_].wide:
        raise ValueError(f"{format_} has no 16-bit samples; write .png or .tif")
    if format_ == "TIFF":
        return encode_tiff(raster)
    if format_ == "HEIF":
        return encode_heif(raster, quality)
    if samples.dtype == np.uint16:
        return encode_png_16(raster)
    return _with_pillow([raster], quality)


def encode_animation(rasters: Sequence[Raster], quality: int) -> bytes:
    """Frames of 8 bits and of one size, in the format of the first, whose metadata is kept.

    Raises:
        ValueError: the frames differ in size, or the format has no animations.
    """
    format_ = rasters[0].format
    if len({raster.samples.shape[:2] for raster in rasters}) != 1:
        raise ValueError("the frames of an animation must be of one size")
    if WRITABLE[format_].several != "animation":
        raise ValueError(f"{format_} has no animations; write .webp, .gif or .png")
    return _with_pillow(rasters, quality)


def _with_pillow(rasters: Sequence[Raster], quality: int) -> bytes:
    first = rasters[0]
    pictures = [_picture(raster) for raster in rasters]
    if first.format == "GIF" and all(picture.mode in ("L", "RGB") for picture in pictures):
        pictures = _with_one_palette(pictures)
    settings: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": 0, "optimize": True},
        "WEBP": {"quality": quality, "lossless": quality >= 100, "exact": True},
        "AVIF": {"quality": quality, "subsampling": "4:4:4"},
    }
    several = _animated(rasters, pictures) if len(rasters) > 1 else {}
    out = io.BytesIO()
    pictures[0].save(
        out, format=first.format, **settings.get(first.format, {}), **_metadata(first), **several
    )
    return out.getvalue()


def _picture(raster: Raster) -> Image.Image:
    samples = raster.samples
    return Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)


def _with_one_palette(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """One palette for all frames, of all of them side by side: without flicker."""
    if all(picture.mode == "L" for picture in pictures):
        return list(pictures)
    small = [np.asarray(picture.convert("RGB").reduce(max(1, picture.width // 256))) for picture in pictures]
    strip = Image.fromarray(np.concatenate(small, axis=1))
    palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT)
    dither = Image.Dither.FLOYDSTEINBERG
    return [picture.convert("RGB").quantize(palette=palette, dither=dither) for picture in pictures]


def _animated(rasters: Sequence[Raster], pictures: Sequence[Image.Image]) -> dict[str, Any]:
    timings = [raster.timing or Timing(100.0, 0) for raster in rasters]
    loop = timings[0].loop
    options: dict[str, Any] = {
        "save_all": True,
        "append_images": list(pictures[1:]),
        "duration": [round(timing.milliseconds) for timing in timings],
    }
    if rasters[0].format == "GIF":  # without the number a GIF plays once
        return options | ({} if loop is None else {"loop": loop})
    return options | ({} if rasters[0].format == "AVIF" else {"loop": 1 if loop is None else loop})


def _metadata(raster: Raster) -> dict[str, Any]:
    """Pillow's options for what the format can hold."""
    height, width = raster.samples.shape[:2]
    metadata, can, options = raster.metadata, WRITABLE[raster.format], dict[str, Any]()
    if can.exif:
        options["exif"] = with_size(raster.exif, width, height) if raster.exif else b""
    if can.icc:
        options["icc_profile"] = raster.icc
    if can.dpi and metadata.dpi:
        options["dpi"] = metadata.dpi
    xmp = updated_xmp(metadata.xmp, width, height)
    match raster.format:
        case "PNG":
            options["pnginfo"] = text_chunks(raster)
        case "JPEG":
            comment = metadata.comment
            if xmp and len(xmp) < _LONGEST_SEGMENT:
                options["xmp"] = xmp
            else:
                comment = comment_with_note(metadata)
            if comment and len(comment) < _LONGEST_SEGMENT:
                options["comment"] = comment
            if metadata.iptc:
                options["extra"] = iptc_segment(metadata.iptc)
        case "GIF":
            if comment := comment_with_note(metadata):
                options["comment"] = comment
        case _:
            if can.xmp and xmp:
                options["xmp"] = xmp
    return options
