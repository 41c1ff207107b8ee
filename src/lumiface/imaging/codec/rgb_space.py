"""RGB colour spaces given by three primaries and tone curves; all in float, so that 16 bits survive.

XYZ values are relative to D50, as in ICC profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
D65 = (0.3127, 0.3290)
D50_XYZ = np.array([0.9642, 1.0, 0.8249])
# CIE primaries, x and y of red, green, blue.
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3_PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_PRIMARIES = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
BT2020_PRIMARIES = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
ADOBE_GAMMA = 563 / 256

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True, slots=True)
class ParametricCurve:
    """`(a x + b)^g + e` from d on, `c x + f` below (ICC.1:2022, 10.18); x and the result in [0, 1]."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def decode(self, values: Floats) -> Floats:
        """Encoded → linear light."""
        power = np.maximum(self.a * values + self.b, 0.0) ** self.g + self.e
        return np.where(values >= self.d, power, self.c * values + self.f)

    def encode(self, values: Floats) -> Floats:
        """Linear light → encoded."""
        start = max(self.a * self.d + self.b, 0.0) ** self.g + self.e
        power = (np.maximum(values - self.e, 0.0) ** (1.0 / self.g) - self.b) / self.a
        below = (values - self.f) / self.c if self.c else np.zeros_like(values)
        return np.where(values >= start, power, below)


@dataclass(frozen=True, eq=False)
class TableCurve:
    """A curve given by equidistant values, linear in between."""

    table: Floats

    def decode(self, values: Floats) -> Floats:
        """Encoded → linear light."""
        return np.interp(values, np.linspace(0.0, 1.0, len(self.table)), self.table).astype(values.dtype)

    def encode(self, values: Floats) -> Floats:
        """Linear light → encoded."""
        return np.interp(values, self._rising, np.linspace(0.0, 1.0, len(self.table))).astype(values.dtype)

    @cached_property
    def _rising(self) -> Floats:
        return np.maximum.accumulate(self.table)


Curve = ParametricCurve | TableCurve
SRGB_CURVE = ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True, eq=False)
class RgbSpace:
    """A colour space: linear RGB → XYZ by `to_xyz` (3, 3), and one tone curve per channel."""

    to_xyz: Floats
    curves: tuple[Curve, Curve, Curve]

    def to_srgb(self, rgb: Floats) -> Floats:
        """(..., 3) in this space → sRGB, not clipped: colours outside of sRGB are below 0 or above 1."""
        linear = np.stack([curve.decode(rgb[..., i]) for i, curve in enumerate(self.curves)], axis=-1)
        matrix = np.linalg.inv(SRGB_TO_XYZ) @ self.to_xyz
        return _signed(SRGB_CURVE, linear @ matrix.T.astype(rgb.dtype))

    def from_srgb(self, rgb: Floats) -> Floats:
        """(..., 3) sRGB in [0, 1] → this space, clipped to [0, 1]."""
        matrix = np.linalg.inv(self.to_xyz) @ SRGB_TO_XYZ
        linear = (SRGB_CURVE.decode(rgb) @ matrix.T.astype(rgb.dtype)).clip(0.0, 1.0)
        encoded = [curve.encode(linear[..., i]) for i, curve in enumerate(self.curves)]
        return np.stack(encoded, axis=-1).clip(0.0, 1.0)


def rgb_space(
    primaries: Sequence[tuple[float, float]], curve: Curve, white: tuple[float, float] = D65
) -> RgbSpace:
    """A colour space by its primaries and white (x, y), adapted to D50 by Bradford's transform.

    Raises:
        ValueError: the primaries lie on one line, or a y is 0.
    """
    if white[1] <= 0 or any(y == 0 for _, y in primaries):
        raise ValueError("primaries without luminance")
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    white_xyz = np.array([white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]])
    try:
        to_xyz = columns * np.linalg.solve(columns, white_xyz)
    except np.linalg.LinAlgError as fault:
        raise ValueError("primaries on one line") from fault
    cones = (_BRADFORD @ D50_XYZ) / (_BRADFORD @ white_xyz)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
    return RgbSpace(adaptation @ to_xyz, (curve, curve, curve))


def _signed(curve: ParametricCurve, linear: Floats) -> Floats:
    """The curve continued below 0 by symmetry."""
    return np.copysign(curve.encode(np.abs(linear)), linear)
