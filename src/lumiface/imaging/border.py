"""The frame around a photograph: strips of one colour along its sides, which are paper, not light."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lumiface.imaging.light import strongest

_EVEN = 3.0 / 255.0  # within this of its colour a strip counts as even
_STEP, _EDGE = 16.0 / 255.0, 0.6  # the step behind a strip, along so much of it: a sky fades, a wall goes on
_WIDEST = 0.3  # of the picture
_AT_ONCE = 16  # rows that are compared together
_LEAST_LIGHT = 0.2  # darker strips are as dark after relighting anyway

_Read = Callable[[int, int], Tensor]
"""Rows (1, 3, end - first, length) of one side, counted from the border; read as far as they are compared."""


def inside_frame(rgb: Tensor) -> tuple[int, int, int, int] | None:
    """What a frame leaves of a picture (1, 3, H, W) in [0, 1].

    Returns:
        top, left, bottom, right of the photograph in its frame; None if there is none.
    """
    height, width = rgb.shape[-2:]
    inside = [0, 0, height, width]  # top, left, bottom, right
    for _ in range(2):  # a side strip is seen along its whole length once those across it are known
        rows, columns = min(height, int(_WIDEST * height) + 1), min(width, int(_WIDEST * width) + 1)
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            break
        found = [_strip(_reader(rgb, side, inside), (rows, columns)[side % 2]) for side in range(4)]
        inside = [found[0], found[1], height - found[2], width - found[3]]
    return None if inside == [0, 0, height, width] else (inside[0], inside[1], inside[2], inside[3])


def copy_frame(rgb: Tensor, target: Tensor) -> Tensor:
    """The frame of a picture, if it has one, laid over `target`, in place; both (1, 3, H, W)."""
    inside = inside_frame(rgb)
    if inside is not None:
        top, left, bottom, right = inside
        for rows, columns in (
            (slice(top), slice(None)),
            (slice(bottom, None), slice(None)),
            (slice(top, bottom), slice(left)),
            (slice(top, bottom), slice(right, None)),
        ):
            target[..., rows, columns] = rgb[..., rows, columns]
    return target


def _reader(rgb: Tensor, side: int, inside: list[int]) -> _Read:
    """Of one side: 0 the top, 1 the left, 2 the bottom, 3 the right one; along it, what `inside` leaves."""
    height, width = rgb.shape[-2:]
    top, left, bottom, right = inside

    def read(first: int, end: int) -> Tensor:
        if side == 0:
            return rgb[..., first:end, left:right]
        if side == 1:
            return rgb[..., top:bottom, first:end].transpose(2, 3)
        if side == 2:
            return rgb[..., height - end : height - first, left:right].flip(2)
        return rgb[..., top:bottom, width - end : width - first].transpose(2, 3).flip(2)

    return read


def _strip(read: _Read, length: int) -> int:
    """Number of rows at a side, of `length`, that are of one colour, and end in an edge; 0: no strip."""
    if length < 2:
        return 0
    colour = read(0, 1).median(dim=3, keepdim=True).values
    if float(strongest(colour)) < _LEAST_LIGHT:
        return 0

    def distance(first: int, end: int) -> Tensor:
        """(rows, length): from the colour of the first row."""
        return (read(first, end) - colour).abs_().amax(dim=1)[0]

    count = 0
    for first in range(0, length, _AT_ONCE):
        other = torch.nonzero((distance(first, min(length, first + _AT_ONCE)) > _EVEN).any(dim=1))
        if len(other):
            count = first + int(other[0])
            break
    if count < 2:
        return 0
    steps = (distance(count, min(length, count + 2)) > _STEP).float().mean(dim=1)
    return count if float(steps.max()) >= _EDGE else 0
