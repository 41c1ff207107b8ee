"""Heat maps laid over a face: what is grey can be trusted, what is coloured less."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma

TOP = 0.1
"""Value at which the colour is full: an expected error from which a pixel counts as guessed."""

RAMP = ((1.0, 0.93, 0.55), (0.98, 0.65, 0.15), (0.85, 0.25, 0.1), (0.55, 0.0, 0.25))
"""Evenly spaced colours from 0 to `TOP`; each is darker than the one before, and so reads in grey, too."""

_HEAD = (0.5, 0.53, 0.33, 0.43)  # centre and radii, fractions of the square
_COVER = 0.85  # how much a full colour hides the face


def heat_overlay(face: Tensor, values: Tensor, top: float = TOP) -> Tensor:
    """A face in grey with values in colour over it.

    Args:
        face: (1, 3, S, S) in [0, 1].
        values: (1, 1, s, s), enlarged to the face.
        top: value from which on the colour is full.

    Returns:
        (1, 3, S, S) in [0, 1].
    """
    size = (face.shape[-2], face.shape[-1])
    values = F.interpolate(values.to(face), size=size, mode="bilinear", align_corners=False)
    level = (values / top).clamp(0.0, 1.0)
    grey = (0.25 + 0.75 * luma(face)).expand_as(face)
    return grey.lerp(ramp(level), _COVER * level).clamp(0.0, 1.0)


def head_ellipse(like: Tensor) -> Tensor:
    """(1, 1, S, S), 1 over the head of an aligned face, with hair and jaw, and softly 0 around it."""
    at = (torch.arange(like.shape[-1], device=like.device) + 0.5) / like.shape[-1]
    across, down = (at - _HEAD[0]) / _HEAD[2], (at - _HEAD[1]) / _HEAD[3]
    radius = (across.square()[None, :] + down.square()[:, None]).sqrt()
    return ((1.25 - radius) / 0.25).clamp(0.0, 1.0)[None, None]


def ramp(level: Tensor) -> Tensor:
    """(1, 1, H, W) in [0, 1] -> its colour (1, 3, H, W)."""
    stops = level.new_tensor(RAMP)
    place = level[0, 0] * (len(RAMP) - 1)
    below = place.floor().long().clamp(max=len(RAMP) - 2)
    share = (place - below)[..., None]
    return torch.lerp(stops[below], stops[below + 1], share).permute(2, 0, 1)[None]
