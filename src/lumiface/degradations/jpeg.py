"""Simulated JPEG compression of a batch on its own device, without files or loops; one quality per picture.

ITU-T T.81 (1992) with the tables of its Annex K.1, the scaling of the tables by a quality from 1 to 100 and
the colour conversion of the IJG's library, which nearly all JPEG encoders follow. Exact except for the last
rounding: 8-bit samples, integer YCbCr, chroma averaged (4:2:0) and interpolated as by the library, edges
replicated to complete blocks. The entropy coding is lossless and omitted. The gradient is useless, since
every step rounds.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.constants import cached_constant
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import to_uint8

_BLOCK = 8
_TIE = 1e-4
"""Added before rounding: sums of integers are often exact halves, whose rounding would depend on the last
digit of the arithmetic, which differs between machines. So halves are rounded away from zero everywhere."""

# T.81, tables K.1 and K.2: quantisation steps at quality 50, frequencies from left to right, top to bottom.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def jpeg(pictures: Tensor, quality: Tensor, *, halve_chroma: bool = True) -> Tensor:
    """Compress and decompress each picture at its own quality.

    Args:
        pictures: (B, 3, H, W) in [0, 1], any size; rounded to 8 bits first, as by a camera.
        quality: (B,) integers from 1 to 100, on the pictures' device.
        halve_chroma: 4:2:0, the default of most encoders; otherwise 4:4:4.

    Returns:
        The same shape and type, on the 8-bit grid in [0, 1].

    Raises:
        ValueError: shapes do not match.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or quality.shape != pictures.shape[:1]:
        raise ValueError(
            "need pictures (B, 3, H, W) and quality (B,), "
            f"got {tuple(pictures.shape)} and {tuple(quality.shape)}"
        )
    height, width = pictures.shape[-2:]
    exact = torch.promote_types(pictures.dtype, torch.float32)  # bfloat16 does not represent 0..255 exactly
    ycbcr = _to_ycbcr(to_uint8(pictures.to(exact)).to(exact))
    light, chroma = ycbcr[:, :1], ycbcr[:, 1:]
    if halve_chroma:
        chroma = _halve(chroma)
    light = _through_blocks(light, quantisation_steps(_LUMINANCE, quality))
    chroma = _through_blocks(chroma, quantisation_steps(_CHROMINANCE, quality))
    if halve_chroma:
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
        chroma = _rounded(chroma[..., :height, :width])
    return (_to_rgb(light, chroma) / 255.0).to(pictures.dtype)


def quantisation_steps(table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """The IJG's scaling of an 8 x 8 table, `((table · s + 50) / 100)` in integers clipped to 1..255, with
    s = 5000 / q below quality 50 and 200 - 2 q from there on.

    Args:
        quality: (B,), integers, clipped to 1..100.

    Returns:
        (B, 8, 8) int64.
    """
    whole = quality.long().clamp(1, 100)
    scale = torch.where(whole < 50, 5000 // whole, 200 - 2 * whole)
    return ((_table(table, quality.device) * scale[:, None, None] + 50) // 100).clamp(1, 255)


def _through_blocks(planes: Tensor, steps: Tensor) -> Tensor:
    """(B, C, H, W) samples 0..255 -> the same after quantisation of their 8 x 8 DCT, as integers."""
    height, width = planes.shape[-2:]
    padded = F.pad(planes, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    rows, columns = padded.shape[-2] // _BLOCK, padded.shape[-1] // _BLOCK
    blocks = padded.unflatten(-1, (columns, _BLOCK)).unflatten(-3, (rows, _BLOCK)).transpose(-3, -2)
    cosines = _cosines(planes.dtype, planes.device)  # blocks: (B, C, rows, columns, 8, 8)
    step = steps.to(planes)[:, None, None, None]
    frequencies = cosines @ (blocks - 128.0) @ cosines.mT / step
    kept = (frequencies.abs() + (0.5 + _TIE)).floor() * frequencies.sign()
    samples = cosines.mT @ (kept * step) @ cosines + 128.0
    whole = samples.transpose(-3, -2).flatten(-4, -3).flatten(-2)
    return _rounded(whole[..., :height, :width])


def _halve(chroma: Tensor) -> Tensor:
    """Means over 2 x 2 samples; halves are rounded down and up in alternating columns (no mean shift)."""
    even = F.pad(chroma, (0, chroma.shape[-1] % 2, 0, chroma.shape[-2] % 2), mode="replicate")
    total = F.avg_pool2d(even, 2) * 4.0
    bias = torch.arange(total.shape[-1], device=total.device) % 2 + 1
    return ((total.round() + bias) / 4.0).floor()


def _to_ycbcr(rgb: Tensor) -> Tensor:
    """(B, 3, H, W), 0..255 -> full-range BT.601 as integers, chroma centred on 128 (JFIF)."""
    y = luma(rgb)
    blue, red = (rgb[:, 2:] - y) / 1.772 + 128.0, (rgb[:, :1] - y) / 1.402 + 128.0
    return _rounded(torch.cat((y, blue, red), dim=1))


def _to_rgb(y: Tensor, chroma: Tensor) -> Tensor:
    blue, red = (chroma - 128.0).split(1, dim=1)
    green = (0.299 * 1.402 * red + 0.114 * 1.772 * blue) / 0.587
    return _rounded(torch.cat((y + 1.402 * red, y - green, y + 1.772 * blue), dim=1))


def _rounded(samples: Tensor) -> Tensor:
    return (samples + (0.5 + _TIE)).floor().clamp(0.0, 255.0)


@cached_constant
def _cosines(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(8, 8), orthonormal: row k holds cos((2 n + 1) k π / 16), T.81 annex A.3.3."""
    k, n = torch.arange(_BLOCK, dtype=torch.float64)[:, None], torch.arange(_BLOCK, dtype=torch.float64)
    rows = torch.cos((2.0 * n + 1.0) * k * (math.pi / (2.0 * _BLOCK))) * math.sqrt(2.0 / _BLOCK)
    rows[0] /= math.sqrt(2.0)
    return rows.to(device, dtype)


@cached_constant
def _table(table: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """(8, 8) int64."""
    return torch.tensor(table, device=device)
