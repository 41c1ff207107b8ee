"""Pillow's `Image` ↔ upright samples with their metadata."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from lumiface.imaging.codec.colour_tags import convert_with_profile, profile_by_exif, space_of_png
from lumiface.imaging.codec.exif import apply_orientation, with_size
from lumiface.imaging.codec.formats import Format
from lumiface.imaging.codec.metadata import exif_of, metadata_of, remarks_on_xmp, updated_xmp
from lumiface.imaging.codec.pixels import samples_8
from lumiface.imaging.codec.raster import Raster


def raster_of_image(
    picture: Image.Image, format_: Format, wide: npt.NDArray[np.uint16] | None = None
) -> Raster:
    """The samples of a loaded image, rotated upright by its EXIF.

    Args:
        wide: its samples (H, W, C), where Pillow itself has but 8 bits of 16.

    Raises:
        ValueError: the mode is not supported.
    """
    icc = cast("bytes | None", picture.info.get("icc_profile")) or None
    orientation, exif, remarks = exif_of(picture)
    metadata = metadata_of(picture)
    space, shown = None, picture
    if picture.mode in ("CMYK", "LAB"):
        shown, remark = convert_with_profile(picture, icc)
        icc, remarks = None, (*remarks, *remark)
    elif icc is None and format_ == "PNG":
        space = space_of_png(picture.info)
    elif icc is None:
        icc = profile_by_exif(exif)
    samples = samples_8(shown) if wide is None else wide
    return Raster(
        apply_orientation(samples, orientation),
        format_,
        exif,
        icc,
        space,
        metadata,
        remarks=(*remarks, *remarks_on_xmp(metadata.xmp)),
    )


def image_of_raster(raster: Raster) -> Image.Image:
    """An image of mode L, LA, RGB, RGBA or I;16 that carries EXIF, profile, XMP, comment, texts and DPI."""
    samples, metadata = raster.samples, raster.metadata
    height, width = samples.shape[:2]
    image = Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    info: dict[str, Any] = {
        "exif": with_size(raster.exif, width, height) if raster.exif else None,
        "icc_profile": raster.icc,
        "xmp": updated_xmp(metadata.xmp, width, height),
        "comment": metadata.comment,
        "dpi": metadata.dpi,
        **dict(metadata.text),
        **dict([metadata.note] if metadata.note else []),
    }
    image.info.update({name: value for name, value in info.items() if value is not None})
    return image
