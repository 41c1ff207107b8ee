"""Camera RAW, by LibRaw (rawpy): white balance of the camera, no brightening, 16 bits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from lumiface.core.errors import InputError
from lumiface.imaging.codec.raster import Raster
from lumiface.imaging.codec.samples import check_size

_SRGB_GAMMA = (2.4, 12.92)


def has_raw() -> bool:
    """Whether rawpy is installed."""
    try:
        _library()
    except ImportError:
        return False
    return True


def decode_raw(data: bytes, name: str, max_megapixels: float, exif: bytes | None) -> Raster:
    """Develop a RAW file to upright sRGB.

    Args:
        exif: upright, as it will be kept.

    Raises:
        InputError: rawpy is not installed, or the picture is too large.
    """
    try:
        library = _library()
    except ImportError:
        raise InputError(
            f'{name} is camera RAW, which needs rawpy: pip install "lumiface[raw]", or export it as TIFF'
        ) from None
    with library.imread(io.BytesIO(data)) as file:
        check_size((file.sizes.width, file.sizes.height), name, max_megapixels)
        samples: Any = file.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_bps=16,
            output_color=library.ColorSpace.sRGB,
            gamma=_SRGB_GAMMA,
        )
    return Raster(np.ascontiguousarray(samples), "RAW", exif)


def _library() -> Any:
    return __import__("rawpy")
