"""Images inside an HTML page."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image


def webp(pixels: npt.NDArray[np.uint8], *, lossless: bool = True) -> bytes:
    """An image (H, W, 3) as the bytes of a WebP file."""
    out = io.BytesIO()
    settings = {"lossless": True, "quality": 60} if lossless else {"quality": 80}
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "WEBP", method=4, **settings)
    return out.getvalue()


def webp_uri(data: bytes) -> str:
    """The bytes of a WebP file as a data URI."""
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")


def data_uri(pixels: npt.NDArray[np.uint8], *, lossless: bool = True) -> str:
    """An image (H, W, 3) as a WebP in a data URI."""
    return webp_uri(webp(pixels, lossless=lossless))
