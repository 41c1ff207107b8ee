"""The colours of a picture where no profile of RGB names them: numbers, PNG's gAMA, EXIF, CMYK and Lab."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any, cast

from PIL import Image, ImageCms

from lumiface.imaging.codec.exif import is_adobe_rgb
from lumiface.imaging.codec.formats import Format
from lumiface.imaging.codec.icc import build_profile
from lumiface.imaging.codec.png import chunk_of_png
from lumiface.imaging.codec.rgb_space import (
    ADOBE_GAMMA,
    ADOBE_PRIMARIES,
    BT2020_PRIMARIES,
    D65,
    P3_PRIMARIES,
    SRGB_CURVE,
    SRGB_PRIMARIES,
    ParametricCurve,
    RgbSpace,
    rgb_space,
)

_SRGB_GAMMA, _TOLERANCE = 1 / 2.2, 0.01
_SAME_PLACE = 0.005  # of primaries, in x and y
_NAMED = {12: ("Display P3", P3_PRIMARIES), 9: ("BT.2020", BT2020_PRIMARIES)}  # primaries of ITU-T H.273
_SRGB = 1
_HDR = (16, 18)  # its transfer characteristics PQ and HLG
_NCLX = b"colrnclx"  # ISO/IEC 14496-12, 12.1.5
_HEADERS = 1 << 16  # bytes of a file within which its headers lie


def space_of_png(info: dict[Any, Any]) -> RgbSpace | None:
    """The space by gAMA and cHRM (PNG, third edition, 11.3.2); None: sRGB, or nothing is said.

    A cHRM chunk without gAMA is ignored, and so is gAMA of about 1/2.2, which is meant for sRGB.
    """
    gamma = info.get("gamma")
    if info.get("srgb") is not None or not isinstance(gamma, float) or not 0.1 <= gamma <= 10.0:
        return None
    white, primaries = _chromaticities(info.get("chromaticity"))
    usual = all(
        abs(mine - theirs) < _SAME_PLACE
        for pair, other in zip((white, *primaries), (D65, *SRGB_PRIMARIES), strict=True)
        for mine, theirs in zip(pair, other, strict=True)
    )
    if usual and abs(gamma - _SRGB_GAMMA) < _TOLERANCE:
        return None
    try:
        return rgb_space(primaries, ParametricCurve(1.0 / gamma), white)
    except ValueError:
        return rgb_space(SRGB_PRIMARIES, ParametricCurve(1.0 / gamma))


def profile_by_numbers(primaries: int | None, transfer: int | None) -> tuple[bytes | None, tuple[str, ...]]:
    """A profile for primaries named by number (ITU-T H.273), None: sRGB; and a remark on HDR."""
    remarks = ("its HDR brightness is read as ordinary brightness",) if transfer in _HDR else ()
    found = _NAMED.get(primaries or 0)
    return None if found is None else _profile_of(*found), remarks


def numbers_of_file(data: bytes, format_: Format) -> tuple[int, int] | None:
    """Primaries and transfer by number, of PNG (cICP) and AVIF (nclx); None: none that are known here."""
    if format_ == "AVIF":
        at = data.find(_NCLX, 0, _HEADERS)
        numbers = struct.unpack(">HH", data[at + 8 : at + 12]) if 0 <= at <= len(data) - 12 else (0, 0)
    else:
        content = chunk_of_png(data, b"cICP") if format_ == "PNG" else None
        numbers = tuple(content[:2]) if content is not None and len(content) == 4 else (0, 0)
    return (numbers[0], numbers[1]) if numbers[0] in (_SRGB, *_NAMED) else None


def profile_by_exif(exif: bytes | None) -> bytes | None:
    """Adobe RGB's profile, if the camera says by EXIF alone that it wrote Adobe RGB."""
    return _adobe_profile() if is_adobe_rgb(exif) else None


def convert_with_profile(picture: Image.Image, icc: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """CMYK and Lab → sRGB, by the picture's own profile where it has one; a remark if that is unusable."""
    target = ImageCms.createProfile("sRGB")
    if picture.mode == "LAB":
        source: Any = ImageCms.createProfile("LAB")
    elif icc is None:
        return picture.convert("RGB"), ()
    else:
        source = io.BytesIO(icc)
    try:
        converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except ImageCms.PyCMSError as fault:
        return picture.convert("RGB"), (f"its colour profile is unusable ({fault}) and ignored",)
    assert converted is not None  # only with inPlace=True
    return converted, ()


@cache
def _profile_of(name: str, primaries: tuple[tuple[float, float], ...]) -> bytes:
    return build_profile(rgb_space(primaries, SRGB_CURVE), name)


@cache
def _adobe_profile() -> bytes:
    return build_profile(rgb_space(ADOBE_PRIMARIES, ParametricCurve(ADOBE_GAMMA)), "Adobe RGB compatible")


def _chromaticities(stored: object) -> tuple[tuple[float, float], tuple[tuple[float, float], ...]]:
    """White, and red, green, blue; those of sRGB where none are stored."""
    if not isinstance(stored, tuple) or len(cast("tuple[Any, ...]", stored)) != 8:
        return D65, SRGB_PRIMARIES
    numbers = [float(number) for number in cast("tuple[Any, ...]", stored)]
    pairs = [(numbers[at], numbers[at + 1]) for at in range(0, 8, 2)]
    return pairs[0], (pairs[1], pairs[2], pairs[3])
