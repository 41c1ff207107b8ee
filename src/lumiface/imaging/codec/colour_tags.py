"""The colours of a picture where no profile of RGB names them: PNG's gAMA, EXIF's Adobe RGB, CMYK and Lab."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, cast

from PIL import Image, ImageCms

from lumiface.imaging.codec.exif import is_adobe_rgb
from lumiface.imaging.codec.icc import build_profile
from lumiface.imaging.codec.rgb_space import (
    ADOBE_GAMMA,
    ADOBE_PRIMARIES,
    D65,
    SRGB_PRIMARIES,
    ParametricCurve,
    RgbSpace,
    rgb_space,
)

_SRGB_GAMMA, _TOLERANCE = 1 / 2.2, 0.01
_SAME_PLACE = 0.005  # of primaries, in x and y


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
def _adobe_profile() -> bytes:
    return build_profile(rgb_space(ADOBE_PRIMARIES, ParametricCurve(ADOBE_GAMMA)), "Adobe RGB compatible")


def _chromaticities(stored: object) -> tuple[tuple[float, float], tuple[tuple[float, float], ...]]:
    """White, and red, green, blue; those of sRGB where none are stored."""
    if not isinstance(stored, tuple) or len(cast("tuple[Any, ...]", stored)) != 8:
        return D65, SRGB_PRIMARIES
    numbers = [float(number) for number in cast("tuple[Any, ...]", stored)]
    pairs = [(numbers[at], numbers[at + 1]) for at in range(0, 8, 2)]
    return pairs[0], (pairs[1], pairs[2], pairs[3])
