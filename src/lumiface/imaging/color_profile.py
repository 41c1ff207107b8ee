"""Pictures in other colour spaces ↔ sRGB, in strips of bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lumiface.imaging.codec.icc import Space, TableSpace, is_grey_profile, space_of_profile
from lumiface.imaging.codec.raster import Raster
from lumiface.imaging.codec.rgb_space import Floats
from lumiface.imaging.quantize import quantize
from lumiface.imaging.strips import in_strips, strips

OUTSIDE = 0.02
"""How far a colour may lie outside of sRGB, as a share of full scale, before it counts as outside."""

REMARKED = 0.01
"""Share of the pixels outside of sRGB from which on it is remarked on."""


def read_colours(rgb: Tensor, raster: Raster, *, grey: bool) -> tuple[Tensor, bytes | None, tuple[str, ...]]:
    """The decoded values (1, 3, H, W) → sRGB, in their place.

    Returns:
        the values; the profile to convert back into, None: sRGB; and remarks for the user.
    """
    icc, remarks = raster.icc, list[str]()
    space: Space | None = raster.space
    if icc is not None:
        try:
            space = space_of_profile(icc, grey)
        except ValueError as fault:
            return rgb, None, (f"its colour profile is unusable ({fault}) and ignored",)
        if isinstance(space, TableSpace) and space.one_way:
            icc = None
            remarks.append("converted to sRGB: its colour profile, a scanner's, has no way back")
    if space is None:
        return rgb, icc, ()
    outside = to_srgb(rgb, space)
    if outside > REMARKED:
        remarks.append("colours outside of sRGB are clipped")
    if raster.samples.dtype.itemsize == 1:
        # The networks and the estimate of noise know the levels of 8 bits; values between them come out
        # brighter by up to a level, and unlike the same picture stored in sRGB.
        in_strips(quantize, rgb, out=rgb)
    return rgb, icc, tuple(remarks)


def space_to_write(icc: bytes | None, *, grey: bool, holds_grey: bool) -> tuple[Space | None, bytes | None]:
    """The colour space in which a picture with a profile is written, None: sRGB, and the profile to embed.

    Args:
        holds_grey: a grey picture is written in one channel; else a profile of grey is left out, and the
            values stay sRGB.
    """
    if icc is None or (is_grey_profile(icc) and not (grey and holds_grey)):
        return None, None
    try:
        return space_of_profile(icc, grey), icc
    except ValueError:  # of a picture that was not read from a file
        return None, icc


def to_srgb(rgb: Tensor, space: Space) -> float:
    """(1, 3, H, W) in a colour space, [0, 1] → sRGB, clipped to [0, 1], in its place.

    Returns:
        the share of pixels whose colour is outside of sRGB by more than `OUTSIDE`.
    """
    outside = 0

    def convert(strip: Floats) -> Floats:
        nonlocal outside
        converted = space.to_srgb(strip)
        far = (converted.min(axis=-1) < -OUTSIDE) | (converted.max(axis=-1) > 1.0 + OUTSIDE)
        outside += int(far.sum())
        return converted.clip(0.0, 1.0)

    _convert(rgb, convert, rgb)
    return outside / max(rgb.shape[-2] * rgb.shape[-1], 1)


def from_srgb(rgb: Tensor, space: Space) -> Tensor:
    """(1, 3, H, W) sRGB → the colour space; both in [0, 1]."""
    result = torch.empty(rgb.shape, dtype=torch.float32)
    _convert(rgb, lambda strip: space.from_srgb(strip.clip(0.0, 1.0)), result)
    return result


def _convert(rgb: Tensor, convert: Callable[[Floats], Floats], result: Tensor) -> None:
    """A function of colours (h, w, 3) applied strip by strip; `result` may be `rgb` itself."""
    with np.errstate(all="ignore"):
        for strip in strips(rgb.shape[-2], rgb.shape[-1]):
            colours = strip.place(rgb)[0].detach().cpu().permute(1, 2, 0).numpy()
            converted = convert(colours.astype(np.float32)).astype(np.float32)
            strip.place(result)[0].copy_(torch.from_numpy(converted).permute(2, 0, 1))
