"""The same face seen slightly otherwise: what stays is in the photograph, what changes was drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.align import native_side
from lumiface.faces.face import Face

Rerun = Callable[[Tensor, Face], Tensor]
"""Restores one face of a photograph again: photograph (1, 3, H, W), face -> patch (1, 3, S, S)."""

MARGIN = 12
"""Pixels around the aligned square that are kept, for filters."""


@dataclass(frozen=True, slots=True)
class Variation:
    """One small change of the input.

    Attributes:
        shift: of the alignment along both axes, as a fraction of the face's square: 0.4 pixels at 32.
        flipped: mirrored left to right.
        gain, gamma: of the light.
        noise: standard deviation, 8-bit levels.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False
    gain: float = 1.0
    gamma: float = 1.0
    noise: float = 0.0


VARIATIONS = (
    Variation(flipped=True),
    Variation(shift=(0.0125, 0.0125)),
    Variation(shift=(-0.0125, 0.0125), gain=0.9),
    Variation(shift=(0.0125, -0.0125), noise=1.0, flipped=True),
    Variation(gamma=1.1, noise=1.0),
)
"""Each restores the face once more."""


def varied_patches(rgb: Tensor, face: Face, rerun: Rerun) -> Iterator[Tensor]:
    """The restored face under each variation, moved back to where it was, (1, 3, S, S).

    Args:
        rgb: the photograph (1, 3, H, W).
        rerun: restores it in the way of the face as it is.
    """
    window, inside = _window(rgb, face)
    side = native_side(face)
    generator = torch.Generator().manual_seed(0)
    for change in VARIATIONS:
        picture, seen = window, inside
        if change.flipped:
            picture, seen = window.flip(-1), _mirrored(inside, window.shape[-1])
        seen = _moved(seen, change.shift[0] * side, change.shift[1] * side)
        if change.gain != 1.0 or change.gamma != 1.0:
            picture = change.gain * picture.clamp(min=0.0) ** change.gamma
        if change.noise:
            normal = torch.randn(picture.shape, generator=generator).to(picture)
            picture = picture + change.noise / 255.0 * normal
        patch = _shifted_back(rerun(picture.clamp(0.0, 1.0), seen), change.shift)
        yield patch.flip(-1) if change.flipped else patch


def _window(rgb: Tensor, face: Face) -> tuple[Tensor, Face]:
    """The part of the photograph that holds the aligned square, whatever its rotation, and the face in it."""
    height, width = rgb.shape[-2:]
    x = sum(point[0] for point in face.landmarks) / len(face.landmarks)
    y = sum(point[1] for point in face.landmarks) / len(face.landmarks)
    reach = native_side(face) * 0.5 * math.sqrt(2.0) * 1.2 + MARGIN
    left, top = min(max(0, int(x - reach)), width - 1), min(max(0, int(y - reach)), height - 1)
    right, bottom = max(left + 1, min(width, int(x + reach))), max(top + 1, min(height, int(y + reach)))
    return rgb[..., top:bottom, left:right].clone(), _moved(face, -left, -top)


def _moved(face: Face, x: float, y: float) -> Face:
    x1, y1, x2, y2 = face.box
    points = tuple((px + x, py + y) for px, py in face.landmarks)
    return replace(face, box=(x1 + x, y1 + y, x2 + x, y2 + y), landmarks=points)


def _mirrored(face: Face, width: int) -> Face:
    """The face in the mirrored picture; left and right are those of the picture."""
    x1, y1, x2, y2 = face.box
    points = [(width - x, y) for x, y in face.landmarks]
    left, right, nose, mouth_left, mouth_right = points
    swapped = (right, left, nose, mouth_right, mouth_left)
    return replace(face, box=(width - x2, y1, width - x1, y2), landmarks=swapped)


def _shifted_back(patch: Tensor, shift: tuple[float, float]) -> Tensor:
    """The patch of an alignment that was moved by `shift`, where it was."""
    if shift == (0.0, 0.0):
        return patch
    # A face that was sought further right lies further left in its patch.
    theta = patch.new_tensor([[[1.0, 0.0, -2.0 * shift[0]], [0.0, 1.0, -2.0 * shift[1]]]])
    grid = F.affine_grid(theta, list(patch.shape), align_corners=False)
    moved = F.grid_sample(patch, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return moved.clamp(0.0, 1.0)
