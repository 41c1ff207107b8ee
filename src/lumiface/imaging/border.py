"""The frame around a photograph: strips of one colour along its sides, which are paper, not light."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.imaging.light import strongest

_EVEN = 3.0 / 255.0  # within this of its colour a strip counts as even
_STEP, _EDGE = 16.0 / 255.0, 0.6  # the step behind a strip, along so much of it: a sky fades, a wall goes on
_WIDEST = 0.3  # of the picture
_LEAST_LIGHT = 0.2  # darker strips are as dark after relighting anyway


def frame_mask(rgb: Tensor) -> Tensor | None:
    """Where a picture (1, 3, H, W) in [0, 1] has a frame.

    Returns:
        (1, 1, H, W) bool, True in the frame; None if there is none.
    """
    height, width = rgb.shape[-2:]
    inside = [0, 0, height, width]  # top, left, bottom, right
    for _ in range(2):  # a side strip is seen along its whole length once those across it are known
        top, left, bottom, right = inside
        rows, columns = rgb[..., left:right], rgb[..., top:bottom, :].transpose(2, 3)
        inside = [
            _strip(rows, height),
            _strip(columns, width),
            height - _strip(rows.flip(2), height),
            width - _strip(columns.flip(2), width),
        ]
    if inside == [0, 0, height, width]:
        return None
    mask = torch.ones_like(rgb[:, :1], dtype=torch.bool)
    mask[..., inside[0] : inside[2], inside[1] : inside[3]] = False
    return mask


def _strip(rows: Tensor, height: int) -> int:
    """Number of rows at the top that are of one colour, and end in an edge; 0: no strip."""
    part = rows[:, :, : int(_WIDEST * height) + 1]
    if part.shape[2] < 2 or part.shape[3] == 0:
        return 0
    colour = part[:, :, :1].median(dim=3, keepdim=True).values
    distance = (part - colour).abs().amax(dim=1)[0]  # (rows, length)
    other = torch.nonzero((distance > _EVEN).any(dim=1))
    count = int(other[0]) if len(other) else 0
    if count < 2 or float(strongest(colour)) < _LEAST_LIGHT:
        return 0
    steps = (distance[count : count + 2] > _STEP).float().mean(dim=1)
    return count if float(steps.max()) >= _EDGE else 0
