"""The frame around a photograph: strips of one colour along its sides, which are paper, not light."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.imaging.light import strongest

_EVEN = 3.0 / 255.0  # within this of its colour a strip counts as even
_STEP, _EDGE = 16.0 / 255.0, 0.6  # the step behind a strip, along so much of it: a sky fades, a wall goes on
_WIDEST = 0.3  # of the picture
_AT_ONCE = 16  # rows that are compared together
_LEAST_LIGHT = 0.2  # darker strips are as dark after relighting anyway


def inside_frame(rgb: Tensor) -> tuple[int, int, int, int] | None:
    """What a frame leaves of a picture (1, 3, H, W) in [0, 1].

    Returns:
        top, left, bottom, right of the photograph in its frame; None if there is none.
    """
    height, width = rgb.shape[-2:]
    inside = [0, 0, height, width]  # top, left, bottom, right
    for _ in range(2):  # a side strip is seen along its whole length once those across it are known
        top, left, bottom, right = inside
        rows, columns = int(_WIDEST * height) + 1, int(_WIDEST * width) + 1
        inside = [
            _strip(rgb[..., :rows, left:right]),
            _strip(rgb[..., top:bottom, :columns].transpose(2, 3)),
            height - _strip(rgb[..., -rows:, left:right], last=True),
            width - _strip(rgb[..., top:bottom, -columns:].transpose(2, 3), last=True),
        ]
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


def _strip(part: Tensor, *, last: bool = False) -> int:
    """Number of rows at the top, or the bottom, that are of one colour, and end in an edge; 0: no strip."""
    length = part.shape[2]
    if length < 2 or part.shape[3] == 0:
        return 0

    def distance(first: int, end: int) -> Tensor:
        """(rows, length): of rows counted from the border, from the colour of the first."""
        piece = part[:, :, length - end : length - first].flip(2) if last else part[:, :, first:end]
        return (piece - colour).abs_().amax(dim=1)[0]

    colour = (part[:, :, -1:] if last else part[:, :, :1]).median(dim=3, keepdim=True).values
    if float(strongest(colour)) < _LEAST_LIGHT:
        return 0
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
