"""Large pictures piece by piece, so that what lies between two steps stays in the processor's cache.

A filter over a whole photograph writes every intermediate result to memory: planes of hundreds of megabytes,
each touched once. Here a picture is cut into tiles, and each goes through all steps. A tile is read with the
rows and columns around it that the steps see (its halo), so the result is that of the whole picture. What
the steps must know of the whole picture (its noise, say) is measured before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

STRIP_PIXELS = 1 << 17
"""Of a strip without filters: three planes of float32 are 1.5 MB, about the cache of a core."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture of any number of planes.

    Attributes:
        top, left, bottom, right: the part whose result counts.
        halo: rows and columns that are read beyond it, as far as the picture reaches.
        height, width: of the picture.
    """

    top: int
    left: int
    bottom: int
    right: int
    halo: int
    height: int
    width: int

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the picture at which the part that is read begins."""
        return max(0, self.top - self.halo), max(0, self.left - self.halo)

    @property
    def end(self) -> tuple[int, int]:
        """Row and column behind the part that is read."""
        return min(self.height, self.bottom + self.halo), min(self.width, self.right + self.halo)

    def read(self, picture: Tensor) -> Tensor:
        """The part of (..., H, W) with its halo, a view."""
        (top, left), (bottom, right) = self.origin, self.end
        return picture[..., top:bottom, left:right]

    def place(self, picture: Tensor) -> Tensor:
        """The part of (..., H, W) without the halo, a view."""
        return picture[..., self.top : self.bottom, self.left : self.right]

    def inner(self, piece: Tensor) -> Tensor:
        """Of what was made from `read`, the part whose result counts, a view."""
        top, left = self.origin
        return piece[..., self.top - top : self.bottom - top, self.left - left : self.right - left]

    def columns(self, count: int) -> Iterator[Tile]:
        """The same in tiles of `count` columns or less."""
        for left in range(self.left, self.right, count):
            right = min(self.right, left + count)
            yield Tile(self.top, left, self.bottom, right, self.halo, self.height, self.width)

    def shrink(self, halo: int) -> Tile:
        """The same part with a smaller halo."""
        return Tile(self.top, self.left, self.bottom, self.right, halo, self.height, self.width)


def tiles(height: int, width: int, size: tuple[int, int], halo: int = 0) -> Iterator[Tile]:
    """A picture of `height` x `width` in tiles of `size` (rows, columns) or less, row by row."""
    for band in bands(height, width, size[0], halo):
        yield from band.columns(size[1])


def bands(height: int, width: int, rows: int, halo: int = 0) -> Iterator[Tile]:
    """A picture in tiles of full width, of `rows` or less, from the top down."""
    for top in range(0, height, rows):
        yield Tile(top, 0, min(height, top + rows), width, halo, height, width)


def whole(height: int, width: int) -> Tile:
    """A picture as one tile."""
    return Tile(0, 0, height, width, 0, height, width)


def strips(height: int, width: int, halo: int = 0, pixels: int = STRIP_PIXELS) -> Iterator[Tile]:
    """A picture in tiles of full width, of about `pixels` each, from the top down."""
    return bands(height, width, max(1, pixels // max(1, width)), halo)


def in_strips(function: Callable[..., Tensor], *pictures: Tensor, out: Tensor | None = None) -> Tensor:
    """A function of single pixels, such as a mixture, applied strip by strip.

    Args:
        function: parts of the pictures -> the same part of the result, of dtype and planes of `out`.
        pictures: (..., H, W) of one height and width.
        out: takes the result; it may be one of the pictures. None: a new picture like the first.
    """
    out = torch.empty_like(pictures[0]) if out is None else out
    for strip in strips(out.shape[-2], out.shape[-1]):
        strip.place(out).copy_(function(*(strip.place(picture) for picture in pictures)))
    return out


class Overwritten:
    """A picture that is replaced band by band from the top down, while filters still see what was there.

    Args:
        picture: (..., H, W); is overwritten.
        halo: rows above a band that can be read after they were replaced.
    """

    def __init__(self, picture: Tensor, halo: int) -> None:
        self.picture, self.halo = picture, halo
        self._done = 0
        self._kept = picture[..., :0, :]

    def read(self, top: int, bottom: int) -> Tensor:
        """A copy of rows as they were at first; `top` is at most `halo` rows above the last replaced one."""
        first = self._kept.shape[-2] - max(0, self._done - top)
        return torch.cat(
            [self._kept[..., first:, :], self.picture[..., max(top, self._done) : bottom, :]], -2
        )

    def advance(self, bottom: int) -> None:
        """Keep what the bands below see of the rows above `bottom`, which are now replaced by the caller."""
        self._kept = self.read(max(0, bottom - self.halo), bottom).clone()
        self._done = bottom
