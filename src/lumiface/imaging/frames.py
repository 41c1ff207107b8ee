"""Files of several pictures: the pages of a TIFF, the frames of an animation, read and written one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lumiface.core.errors import OutputError
from lumiface.core.files import read_bytes, write_bytes
from lumiface.imaging.codec.decode import decode_all
from lumiface.imaging.codec.encode import encode, encode_animation
from lumiface.imaging.codec.formats import WRITABLE, Format, plural_of
from lumiface.imaging.codec.raster import Metadata, Raster
from lumiface.imaging.codec.tiff import encode_page, join_pages
from lumiface.imaging.io import (
    MAX_MEGAPIXELS,
    Picture,
    format_of_path,
    picture_of_raster,
    raster_of_picture,
)

MAX_ANIMATION_MEGAPIXELS = 500.0
"""The largest animation that is written, all frames together: they are held in memory, 3 bytes per pixel."""

_TIFF_HEADER = 8


@dataclass(frozen=True, slots=True)
class PictureFile:
    """The pictures of a file.

    Attributes:
        format: of the content.
        count: how many there are.
        pictures: yields each once, decoding one at a time; raises InputError where one is damaged.
    """

    format: Format
    count: int
    pictures: Iterator[Picture]

    @property
    def kind(self) -> str:
        """What its pictures are called, several of them."""
        return plural_of(self.format)


def read_pictures(path: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> PictureFile:
    """Open a file for all its pictures; of formats without pages or animations it has one.

    Args:
        max_megapixels: of one picture.

    Raises:
        InputError: as `read_picture`.
    """
    path = Path(path)
    rasters = decode_all(read_bytes(path), str(path), max_megapixels)
    # `map` holds no raster while its picture is worked on.
    pictures = map(partial(picture_of_raster, path=path), rasters.pictures)
    return PictureFile(rasters.format, rasters.count, pictures)


def holds_all(source: PictureFile, target: Path) -> bool:
    """Whether a file of the target's format can hold all pictures of the source: pages, or frames."""
    if source.count == 1:
        return True
    return WRITABLE[source.format].several == WRITABLE[format_of_path(target)].several


class PictureWriter:
    """Collects the pictures of one file, encoded as far as possible, and writes it atomically.

    Args:
        path: its suffix decides the format.
        count: how many pictures will come.
        quality: as of `write_picture`.
    """

    def __init__(self, path: Path, count: int, quality: int = 95) -> None:
        self.path, self.count, self.quality = path, count, quality
        self._format: Format = format_of_path(path)
        self._pages: list[bytes] = []
        self._frames: list[Raster] = []

    def add(self, picture: Picture) -> None:
        """Take the next picture.

        Raises:
            OutputError: it does not fit the format.
        """
        raster = raster_of_picture(picture, self._format, self.path)
        if self.count == 1 or self._format != "TIFF":
            self._frames.append(raster)
        else:
            offset = _TIFF_HEADER + sum(map(len, self._pages))
            self._pages.append(encode_page(raster, offset, len(self._pages)))

    def close(self, metadata: Metadata | None = None) -> None:
        """Write the file.

        Args:
            metadata: of an animation, in place of those of its first frame.

        Raises:
            OutputError: it cannot be encoded or written.
        """
        try:
            if self._pages:
                data = join_pages(self._pages)
            elif len(self._frames) == 1:
                data = encode(self._frames[0], self.quality)
            else:
                first, *rest = self._frames
                first = replace(first, metadata=metadata or first.metadata)
                data = encode_animation([first, *rest], self.quality)
        except (ValueError, OSError) as fault:
            raise OutputError(f"{self.path}: {fault}") from fault
        write_bytes(self.path, data)
