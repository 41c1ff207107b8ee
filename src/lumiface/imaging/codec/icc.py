"""ICC profiles of RGB and grey: read into a colour space, and written from one (ICC.1:2022)."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from lumiface.imaging.codec.rgb_space import (
    SRGB_TO_XYZ,
    Curve,
    Floats,
    ParametricCurve,
    RgbSpace,
    TableCurve,
)

_HEADER, _ENTRY = 128, 12
_GRID = 52  # points per side: every fifth of the 256 levels
_PARAMETERS = {0: "g", 1: "gab", 2: "gabe", 3: "gabcd", 4: "gabcdef"}
_SAME_AS_SRGB = 1.0 / 255  # the usual files of sRGB differ among themselves by half of it


@dataclass(frozen=True, eq=False)
class TableSpace:
    """A colour space given by LittleCMS alone: profiles of scanners and printers, which are tables.

    LittleCMS converts 8-bit samples; in between, its results are interpolated linearly, within 1 level.

    Attributes:
        one_way: it leads to colours but not back, as a scanner's: nothing can be written in it.
    """

    profile: bytes
    one_way: bool = False

    def to_srgb(self, rgb: Floats) -> Floats:
        """(..., 3) in this space → sRGB, clipped to [0, 1]."""
        return _look_up(self._forward, rgb)

    def from_srgb(self, rgb: Floats) -> Floats:
        """(..., 3) sRGB in [0, 1] → this space."""
        return _look_up(self._backward, rgb)

    @cached_property
    def _forward(self) -> Floats:
        return _sampled(self._opened(), ImageCms.createProfile("sRGB"))

    @cached_property
    def _backward(self) -> Floats:
        return _sampled(ImageCms.createProfile("sRGB"), self._opened())

    def _opened(self) -> ImageCms.ImageCmsProfile:
        return ImageCms.ImageCmsProfile(io.BytesIO(self.profile))


Space = RgbSpace | TableSpace


@lru_cache(maxsize=8)
def space_of_profile(profile: bytes, grey: bool) -> Space | None:
    """The colour space of an ICC profile; None if it is sRGB as far as 8 bits show.

    Args:
        grey: the picture has one channel of colour; a profile of RGB serves it, too.

    Raises:
        ValueError: it is damaged, not a profile of RGB (or grey), or cannot be converted to and back.
    """
    kind = profile[16:20]
    if profile[36:40] != b"acsp" or kind not in ((b"GRAY", b"RGB ") if grey else (b"RGB ",)):
        raise ValueError(f"it is of {kind.decode('ascii', 'replace').strip() or 'no'} colours")
    try:
        space = _read(profile, _tags(profile), kind)
    except (struct.error, KeyError, IndexError, ImageCms.PyCMSError, np.linalg.LinAlgError) as fault:
        raise ValueError("it is damaged") from fault
    probe = _probe(grey)
    try:
        shown = space.to_srgb(probe)
        back = shown if isinstance(space, TableSpace) and space.one_way else space.from_srgb(probe)
    except (ImageCms.PyCMSError, OSError, IndexError, OverflowError) as fault:
        raise ValueError("it is damaged") from fault
    if not (np.isfinite(shown).all() and np.isfinite(back).all()):
        raise ValueError("it is damaged")
    return None if np.abs(shown.clip(0.0, 1.0) - probe).max() < _SAME_AS_SRGB else space


def is_grey_profile(profile: bytes) -> bool:
    """Whether a profile describes one channel, of grey."""
    return profile[16:20] == b"GRAY"


def build_profile(space: RgbSpace, name: str) -> bytes:
    """A version 2 display profile of a colour space whose curves are tables or plain powers."""
    white = struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    text = name.encode("ascii") + b"\0"
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0public domain\0",
        b"wtpt": white,
    }
    for index, letter in enumerate(b"rgb"):
        column = [round(float(value) * 65536) for value in space.to_xyz[:, index]]
        tags[bytes([letter]) + b"XYZ"] = struct.pack(">4s4x3i", b"XYZ ", *column)
        table = space.curves[index].decode(np.linspace(0.0, 1.0, 4096)).clip(0.0, 1.0)
        samples = (table * 65535 + 0.5).astype(">u2").tobytes()
        tags[bytes([letter]) + b"TRC"] = struct.pack(">4s4xI", b"curv", 4096) + samples
    index_size = 4 + _ENTRY * len(tags)
    index, body = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        index += struct.pack(">4sII", tag, _HEADER + index_size + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    kinds = (b"\x02\x10\0\0", b"mntr", b"RGB ", b"XYZ ")
    header = struct.pack(">I4x4s4s4s4s", _HEADER + index_size + len(body), *kinds)
    header = header.ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)  # D50
    return header.ljust(_HEADER, b"\0") + index + body


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    tags: dict[bytes, bytes] = {}
    for number in range(min(count, 100)):
        name, start, size = struct.unpack_from(">4sII", profile, _HEADER + 4 + _ENTRY * number)
        tags[name] = profile[start : start + size]
    return tags


def _read(profile: bytes, tags: dict[bytes, bytes], kind: bytes) -> Space:
    if kind == b"GRAY":
        curve = _curve(tags[b"kTRC"])
        return RgbSpace(SRGB_TO_XYZ, (curve, curve, curve))
    if b"A2B0" in tags or b"rXYZ" not in tags:
        return TableSpace(profile, one_way=b"B2A0" not in tags and b"rXYZ" not in tags)
    columns = [struct.unpack_from(">3i", tags[letter + b"XYZ"], 8) for letter in (b"r", b"g", b"b")]
    to_xyz = np.array(columns, dtype=float).T / 65536
    if abs(np.linalg.det(to_xyz)) < 1e-6:
        raise ValueError("it is damaged")
    red, green, blue = (_curve(tags[letter + b"TRC"]) for letter in (b"r", b"g", b"b"))
    return RgbSpace(to_xyz, (red, green, blue))


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        names = _PARAMETERS[kind]
        numbers = [number / 65536 for number in struct.unpack_from(f">{len(names)}i", tag, 12)]
        values = dict(zip(names, numbers, strict=True))
        a, b = values.get("a", 1.0), values.get("b", 0.0)
        if values["g"] <= 0 or a <= 0:
            raise ValueError("it is damaged")
        if kind in (1, 2):  # the threshold is where the power begins, and below it the curve is flat
            values |= {"d": -b / a, "f": values.get("e", 0.0)}
        return ParametricCurve(**values)
    if tag[:4] != b"curv":
        raise ValueError("its tone curve is of an unknown kind")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return ParametricCurve(1.0)
    if count == 1:
        (gamma,) = struct.unpack_from(">H", tag, 12)
        if gamma == 0:
            raise ValueError("it is damaged")
        return ParametricCurve(gamma / 256)
    table = np.frombuffer(tag, ">u2", count, 12) if len(tag) >= 12 + 2 * count else np.empty(0)
    if len(table) < 2 or table[-1] <= table[0]:
        raise ValueError("it is damaged")
    return TableCurve(table.astype(np.float64) / 65535)


def _probe(grey: bool) -> Floats:
    """Greys, and for colour a grid of colours: (N, 3)."""
    ramp = np.linspace(0.0, 1.0, 64)
    greys = np.repeat(ramp[:, None], 3, axis=1)
    if grey:
        return greys
    few = np.linspace(0.0, 1.0, 5)
    return np.concatenate((greys, np.stack(np.meshgrid(few, few, few), axis=-1).reshape(-1, 3)))


def _sampled(source: Any, target: Any) -> Floats:
    """(_GRID, _GRID, _GRID, 3): the conversion of every fifth level by LittleCMS."""
    levels = np.arange(0, 256, 255 // (_GRID - 1), dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    picture = Image.fromarray(grid.reshape(_GRID * _GRID, _GRID, 3))
    converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    if converted is None:
        raise ValueError("it cannot be converted")
    samples = np.asarray(converted, dtype=np.float32) / np.float32(255)
    return samples.reshape(_GRID, _GRID, _GRID, 3)


def _look_up(grid: Floats, rgb: Floats) -> Floats:
    """Trilinear interpolation."""
    place = rgb.clip(0.0, 1.0) * (_GRID - 1)
    low = np.minimum(place.astype(np.intp), _GRID - 2)
    part = place - low
    result = np.zeros_like(rgb)
    for corner in range(8):
        bits = np.array([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        weight = np.where(bits, part, 1.0 - part).prod(axis=-1, keepdims=True)
        at = low + bits
        result += weight * grid[at[..., 0], at[..., 1], at[..., 2]]
    return result
