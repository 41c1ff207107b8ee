"""The common basis of the benchmark sets: the 8-bit ground truth, its hash, and a seed per picture."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError
from lumiface.degradations.resample import resize_exact, round_to_8_bit, to_grid


def ground_truth(
    picture: npt.NDArray[np.uint8], name: str, size: int | None, multiple: int = 1
) -> npt.NDArray[np.uint8]:
    """The ground truth of a set: the centre square, reduced, with equal bits on every machine.

    Args:
        picture: (H, W, 3) uint8.
        name: its name in error messages.
        size: of the result, pixels; None keeps the native size and shape.
        multiple: if `size` is None, height and width are cropped to multiples of this.

    Returns:
        (size, size, 3) uint8, or the native size.

    Raises:
        InputError: the picture is smaller than `size` (an enlarged picture is no ground truth).
    """
    require_size(picture, name, size, multiple)
    height, width = picture.shape[:2]
    if size is None:
        return _crop_middle(picture, height // multiple * multiple, width // multiple * multiple)
    side = min(height, width)
    square = _crop_middle(picture, side, side)
    return square if side == size else round_to_8_bit(resize_exact(to_grid(square), (size, size)))


def require_size(picture: npt.NDArray[np.uint8], name: str, size: int | None, multiple: int = 1) -> None:
    """Raises InputError if `ground_truth` does for its size."""
    height, width = picture.shape[:2]
    if size is None and min(height, width) < multiple:
        raise InputError(f"{name} is {width}×{height}, smaller than the scale {multiple}; remove it")
    if size is not None and min(height, width) < size:
        raise InputError(f"{name} is {width}×{height}, smaller than hr_size {size}; choose a smaller hr_size")


def picture_seed(seed: int, name: str) -> int:
    """256 bits from the set's seed and a picture's name: SHA-256 of "seed/name"."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest(), "big")


def pixel_sha256(picture: npt.NDArray[np.uint8]) -> str:
    """SHA-256 of (H, W, 3) uint8 samples in row order, as hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()


def _crop_middle(picture: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])
