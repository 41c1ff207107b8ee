"""What a photograph needs of memory, in words for the user, before the work on a very large one starts.

The figures are measured: the peak of `lumiface restore` on one CPU core, of dark, noisy JPEGs with one face,
less what is needed anyhow.
"""

from __future__ import annotations

from pathlib import Path

from lumiface.core.memory import GB
from lumiface.imaging.io import Picture
from lumiface.restoration.config import RestoreConfig

LARGE = 4 * GB
"""From here on something is said, however much is free."""

LARGE_PIXELS = 20_000_000
"""Photographs from this size on are held in memory once, as far as that is possible."""

_ANYHOW = 0.9 * GB
_PICTURE = 32.0  # bytes per pixel of the photograph: it, and what is made of it; 20 if it can be overwritten
_RESULT = 32.0  # bytes per pixel of the result
_FREE_SHARE = 0.8  # of the free memory, beyond which something is said of any photograph
_LESS = 0.9  # of the need, below which an option is worth naming
_CUT = 0.9  # of the free memory, which a photograph that fits may fill


def needed_memory(pixels: int, scale: int) -> float:
    """The peak of memory in bytes, about.

    Args:
        pixels: of the photograph.
        scale: side of the result over that of the photograph.
    """
    return _ANYHOW + pixels * max(_PICTURE, scale**2 * _RESULT)


def memory_line(picture: Picture, scale: int, free: float | None) -> str | None:
    """One line on a photograph that needs much memory, and what to do about it; None: nothing to say.

    Args:
        scale: as of `needed_memory`.
        free: bytes; None: not known.
    """
    height, width = picture.rgb.shape[-2:]
    need = needed_memory(height * width, scale)
    beyond = need - _ANYHOW  # which is taken by now
    if need < LARGE and (free is None or beyond < _FREE_SHARE * free):
        return None
    less = needed_memory(height * width, scale // 2) if scale > 1 else need
    mends = [f"--scale {scale // 2} (about {less / GB:.1f} GB)"] if less < _LESS * need else list[str]()
    if free is not None and beyond > _CUT * free:
        most = _CUT * free * height * width / beyond / 1e6
        mends.append(f"a photograph of at most {most:.3g} megapixels")
    else:
        mends.append("a smaller photograph")
    name = "this photograph" if picture.info.source is None else str(picture.info.source)
    known = "" if free is None else f", {free / GB:.1f} GB are free"
    return (
        f"{name}: {width}×{height} pixels at scale {scale} need about {need / GB:.1f} GB of memory{known}; "
        f"less with {' or '.join(mends)}"
    )


class MemoryWarning:
    """`memory_line`, once for all pages or frames of a file."""

    def __init__(self) -> None:
        self._of: Path | None = None

    def __call__(self, picture: Picture, scale: int, free: float | None) -> str | None:
        source = picture.info.source
        line = memory_line(picture, scale, free)
        if line is None or (source is not None and source == self._of):
            return None
        self._of = source
        return line


def may_overwrite(picture: Picture, config: RestoreConfig) -> bool:
    """Whether the denoised picture may take the place of a large one, of which 8 bits are kept."""
    height, width = picture.rgb.shape[-2:]
    needed = config.background == "keep" or config.strength < 1.0
    return picture.spare and not needed and picture.info.bits == 8 and height * width >= LARGE_PIXELS


def fitting_scale(height: int, width: int, requested: int, most: float) -> int:
    """The requested scale, halved until the result of height x width pixels has at most `most` megapixels."""
    scale = requested
    while scale > 1 and height * width * scale**2 > most * 1e6:
        scale //= 2
    return scale


def limit_scale(picture: Picture, requested: int, most: float, notes: list[str]) -> int:
    """The scale that fits (`fitting_scale`); a note says so if it is not the requested one."""
    height, width = picture.rgb.shape[-2:]
    scale = fitting_scale(height, width, requested, most)
    if scale != requested:
        notes.append(f"enlarged x{scale} instead of x{requested}, which would exceed {most:g} megapixels")
    return scale
