"""Samples of the decoders: limits of size, alpha divided out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError

Samples = npt.NDArray[np.unsignedinteger[Any]]


def check_size(size: tuple[int, int], name: str, max_megapixels: float) -> None:
    """Raises InputError if a picture of (width, height), from its header, is larger than the limit."""
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise InputError(
            f"{name} has {width}×{height} = {width * height / 1e6:.0f} megapixels, more than the limit of"
            f" {max_megapixels:g}; make it smaller or raise max_megapixels"
        )


def unpremultiplied(samples: Samples) -> Samples:
    """(H, W, C) with alpha last → the same with the colours divided by it, rounded half up."""
    top = np.iinfo(samples.dtype).max
    alpha = samples[:, :, -1:].astype(np.uint64)
    colour = (samples[:, :, :-1] * np.uint64(top) + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate((colour.clip(0, top), alpha), axis=2).astype(samples.dtype)
