"""Bicubic resampling with equal bytes on every machine, and a differentiable version in torch for training.

Keys' cubic convolution (1981, a = -1/2) with the two conventions of MATLAB's `imresize`, the "bicubic" of the
super-resolution literature: the kernel is stretched when the picture is reduced (antialiasing), and the
picture is mirrored beyond its border, edge pixel repeated.

The exact form works in fixed point. A picture is an integer array in which `ONE` = 2**20 represents 1.0. The
weights are computed in float64 from + - * / alone (which IEEE 754 rounds alike everywhere), quantised to
integers that sum to exactly 2**24, and applied in int64: no sum depends on its order, so neither the BLAS,
the SIMD width nor the processor can change a bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.constants import cached_constant
from lumiface.core.device import to_device
from lumiface.core.errors import InputError

GRID_BITS = 20
ONE = 1 << GRID_BITS
"""The integer that represents 1.0 on the fixed-point grid."""

_WEIGHT_BITS = 24
_SUPPORT = 2  # half the width of the cubic kernel, in samples of the coarser grid


def to_grid(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """8-bit values 0..255 → fixed point 0..`ONE`, rounded half up. Any shape."""
    return (picture.astype(np.int64) * (2 * ONE) + 255) // 510


def round_to_8_bit(picture: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Fixed point → 8 bits: clipped to [0, 1], rounded half up. The exact inverse of `to_grid`. Any shape."""
    return ((picture.clip(0, ONE) * 510 + ONE) >> (GRID_BITS + 1)).astype(np.uint8)


def resize_exact(picture: npt.NDArray[np.integer[Any]], size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Resize a fixed-point picture, height first, then width, rounding half up after each.

    Args:
        picture: (H, W, C) or (H, W) integers, |value| < 2**32 (so that no sum overflows int64).
        size: (height, width) of the result.

    Returns:
        int64 of the new size. Bicubic overshoots: values may lie slightly outside [0, `ONE`].

    Raises:
        InputError: the array is not an integer picture, or a side is not positive.
    """
    if picture.ndim not in (2, 3) or not np.issubdtype(picture.dtype, np.integer):
        raise InputError(
            f"expected an integer picture (H, W) or (H, W, C), got {picture.dtype} {picture.shape}"
        )
    if min(size) < 1 or min(picture.shape) < 1:
        raise InputError(f"cannot resize {picture.shape[:2]} to {size}: every side must be 1 or more")
    rows = _resize_first_axis(picture.astype(np.int64), size[0])
    return _resize_first_axis(rows.swapaxes(0, 1), size[1]).swapaxes(0, 1)


def resize(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """The same resampling for training: (B, C, H, W) float → (B, C, height, width), not clipped.

    The exact weights as two dense matrices: differentiable, on the pictures' device, equal to `resize_exact`
    up to float rounding.
    """
    height, width = size
    down = _weights_like(pictures.shape[-2], height, pictures.dtype, pictures.device)
    across = _weights_like(pictures.shape[-1], width, pictures.dtype, pictures.device)
    return down @ pictures @ across.mT


def _resize_first_axis(picture: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    if picture.shape[0] == length:
        return picture
    indices, weights = resampling_weights(picture.shape[0], length)
    total = np.zeros((length, *picture.shape[1:]), dtype=np.int64)
    for tap in range(indices.shape[1]):
        column = weights[:, tap].reshape(-1, *([1] * (picture.ndim - 1)))
        total += column * picture[indices[:, tap]]
    return (total + (1 << (_WEIGHT_BITS - 1))) >> _WEIGHT_BITS


@lru_cache(maxsize=64)
def resampling_weights(length: int, new_length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The taps of each new sample.

    Returns:
        indices: (new_length, taps) of the old samples, mirrored at the ends.
        weights: (new_length, taps), integers; every row sums to exactly 2**24.
    """
    coarse = max(length, new_length)  # shrinking: distances are measured on the new, coarser grid
    taps = 2 * (_SUPPORT * coarse // new_length + 1) + 1
    new = np.arange(new_length, dtype=np.int64)[:, None]
    # New sample j lies at (j + 1/2)·length/new_length − 1/2: in integers until the one division.
    nearest = ((2 * new + 1) * length) // (2 * new_length)
    old = nearest + np.arange(taps, dtype=np.int64)[None] - taps // 2
    distance = ((2 * new + 1) * length - (2 * old + 1) * new_length) / (2 * coarse)
    raw = _cubic(np.abs(distance))
    total = raw[:, :1]
    for tap in range(1, taps):  # in a fixed order: that of np.sum is unspecified
        total = total + raw[:, tap : tap + 1]
    weights = np.floor(raw / total * (1 << _WEIGHT_BITS) + 0.5).astype(np.int64)
    largest = weights.argmax(axis=1)
    weights[np.arange(new_length), largest] += (1 << _WEIGHT_BITS) - weights.sum(axis=1)
    period = np.mod(old, 2 * length)
    indices = np.minimum(period, 2 * length - 1 - period)
    used = np.flatnonzero((weights != 0).any(axis=0))
    return indices[:, used], weights[:, used]


def _cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' kernel with a = −1/2, for x ≥ 0; 0 for x ≥ 2."""
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@cached_constant
def _weights_like(length: int, new_length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`_weight_matrix` on the pictures' device: training needs the same few at every step."""
    return to_device(torch.from_numpy(_weight_matrix(length, new_length)).to(dtype), device)


def _weight_matrix(length: int, new_length: int) -> npt.NDArray[np.float64]:
    """(new_length, length), rows sum to 1."""
    if length == new_length:
        return np.eye(length)
    indices, weights = resampling_weights(length, new_length)
    matrix = np.zeros((new_length, length))
    np.add.at(matrix, (np.arange(new_length)[:, None], indices), weights / (1 << _WEIGHT_BITS))
    return matrix
