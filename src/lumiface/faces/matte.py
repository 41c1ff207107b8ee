"""Which pixels around a face belong to the head: a soft matte from the landmarks' frame and the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.filters import box_mean
from lumiface.imaging.light import smoothstep

_CELLS = 64  # at most so many cells per side: on their grid the matte is found, then it follows the edges
_FACE = (0.5, 0.60, 0.20, 0.28)  # ellipse of the face: centre and radii, fractions of the square
_OWN_LIGHT = (1.0, 1.45)  # in those radii: the face's light is its own, and its surroundings'
_CERTAIN = (0.85, 1.0)  # where all is head whatever its colour, and where nothing is on that account
_RIM = 0.80  # the superellipse outside of which what is seen is taken for background
_SHOULDERS = 0.72  # below this fraction of the square the rim shows clothes, not background
_REACH = 9  # cells over which the background's colour is carried inwards from the rim
_LIKE, _UNLIKE = 0.15, 0.45  # distance from the background's colour, in that of the face from it
_DISTINCT = (5.0 / 255.0, 14.0 / 255.0)  # difference of face and background: none, and clear
_EDGE = 0.02  # contrast of an edge that the matte follows
_RAYS, _STEPS = 128, 24  # the grid on which the head is made whole along rays from its middle
_WHOLE = (0.80, 1.35)  # between these radii of the face's ellipse


def head_matte(picture: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """1 on the head, 0 on the background beside it, soft in between.

    The colour of the background is that of the rim, above the shoulders; what has it further inside is
    background too, up to the face itself. Hair that differs from the wall belongs to the head. Where face
    and background cannot be distinguished the matte is 1.

    Args:
        picture: (1, 3, h, w) in [0, 1], the window around the face.
        u, v: (h, w), each pixel's place in the aligned square, 0 to 1 inside.

    Returns:
        The matte, and how well face and background can be distinguished, both (1, 1, h, w) in [0, 1].
    """
    height, width = picture.shape[-2:]
    cell = max(1.0, max(height, width) / _CELLS)
    grid = (max(1, round(height / cell)), max(1, round(width / cell)))
    small, at_u, at_v = (
        F.interpolate(plane, grid, mode="area")
        for plane in (picture, u[None, None].to(picture), v[None, None].to(picture))
    )
    certain = _ellipse(at_u, at_v, _CERTAIN)
    radius = rim_radius(at_u, at_v)
    rim = ((radius > _RIM) & (radius < 1.05) & (at_v < _SHOULDERS)).to(small)
    if float(rim.sum()) < 8.0 or float(certain.sum()) < 4.0:
        return torch.ones_like(picture[:, :1]), torch.zeros_like(picture[:, :1])
    background = _spread(small, rim)
    skin = (small * certain).sum(dim=(2, 3), keepdim=True) / certain.sum()
    coarse, _ = _unlike(small, background, skin, certain)
    # The coarse matte is even; a pixel's own colour keeps it off the wall where three tones meet.
    fine, known = _unlike(
        picture,
        F.interpolate(background, (height, width), mode="bilinear", align_corners=False),
        skin,
        F.interpolate(certain, (height, width), mode="bilinear", align_corners=False),
    )
    matte = torch.minimum(_follow_edges(picture, small, coarse), fine).clamp(0.0, 1.0)
    return _made_whole(matte, u.to(matte), v.to(matte)), known


def _made_whole(matte: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The matte without gaps: what lies between the middle of a face and a part of the head belongs to it.

    Skin in the half shade has the colour of the wall somewhere, and a crack would run through the cheek.
    """
    height, width = matte.shape[-2:]
    x, y, across, down = _FACE
    angles = torch.linspace(-torch.pi, torch.pi, _RAYS + 1, device=matte.device)[:, None]
    radii = torch.linspace(*_WHOLE, _STEPS, device=matte.device)[None, :]
    # The window may be turned against the face: places along its rows and columns give the inverse map.
    to_window = _to_window(u, v)
    points = torch.stack([x + across * radii * angles.cos(), y + down * radii * angles.sin()], -1)
    at = points @ to_window[:, :2].T + to_window[:, 2]
    grid = 2.0 * at / at.new_tensor([width, height]) - 1.0
    rays = F.grid_sample(matte, grid[None], mode="bilinear", padding_mode="border", align_corners=False)
    solid = -F.max_pool2d(-rays, 3, stride=1, padding=1)  # a single pixel makes nothing whole
    whole = solid.flip(3).cummax(3).values.flip(3)
    off_x, off_y = (u - x) / across, (v - y) / down
    radius = (off_x.square() + off_y.square()).sqrt()
    places = torch.stack(
        [
            2.0 * (radius - _WHOLE[0]) / (_WHOLE[1] - _WHOLE[0]) - 1.0,
            torch.atan2(off_y, off_x) / torch.pi,
        ],
        -1,
    )
    filled = F.grid_sample(whole, places[None], mode="bilinear", padding_mode="border", align_corners=True)
    return torch.where(radius < _WHOLE[1], torch.maximum(matte, filled), matte)


def _to_window(u: Tensor, v: Tensor) -> Tensor:
    """(2, 3): places in the aligned square -> pixels of the window (pixel-edge); u and v are affine there."""
    height, width = u.shape

    def slopes(plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        right = (plane[0, -1] - plane[0, 0]) / max(width - 1, 1)
        below = (plane[-1, 0] - plane[0, 0]) / max(height - 1, 1)
        return right, below, plane[0, 0] - 0.5 * right - 0.5 * below

    (a, b, e), (c, d, f) = slopes(u), slopes(v)
    forward = torch.stack([torch.stack([a, b]), torch.stack([c, d])])
    inverse = torch.linalg.inv(forward)
    return torch.cat([inverse, -inverse @ torch.stack([e, f])[:, None]], 1)


def _unlike(picture: Tensor, background: Tensor, skin: Tensor, certain: Tensor) -> tuple[Tensor, Tensor]:
    """Both (1, 1, h, w): 0 where the picture has the background's colour and 1 where it differs as the face
    does; and how well the two can be distinguished."""
    contrast = (skin - background).abs().amax(dim=1, keepdim=True)
    distance = (picture - background).abs().amax(dim=1, keepdim=True)
    unlike = smoothstep((distance / contrast.clamp(min=1e-3) - _LIKE) / (_UNLIKE - _LIKE))
    distinct = smoothstep((contrast - _DISTINCT[0]) / (_DISTINCT[1] - _DISTINCT[0]))
    return torch.maximum(1.0 + (unlike - 1.0) * distinct, certain), distinct


def face_ellipse(u: Tensor, v: Tensor) -> Tensor:
    """1 over the face, falling smoothly to 0 beside cheeks and chin; of places in the aligned square."""
    return _ellipse(u, v, _OWN_LIGHT)


def _ellipse(u: Tensor, v: Tensor, bounds: tuple[float, float]) -> Tensor:
    """1 inside `bounds[0]` times the ellipse of the face, 0 outside `bounds[1]` times."""
    x, y, across, down = _FACE
    radius = (((u - x) / across).square() + ((v - y) / down).square()).sqrt()
    return smoothstep((bounds[1] - radius) / (bounds[1] - bounds[0]))


def rim_radius(u: Tensor, v: Tensor) -> Tensor:
    """0 in the middle of the aligned square, 1 at its edge; between a circle and the square."""
    return ((2 * u - 1).abs() ** 3 + (2 * v - 1).abs() ** 3) ** (1 / 3)


def _spread(small: Tensor, rim: Tensor) -> Tensor:
    """The colours of the cells where `rim` is 1, carried to all: a mean that favours the near ones."""
    total, weight = small * rim, rim
    for _ in range(3):
        total, weight = box_mean(total, _REACH), box_mean(weight, _REACH)
    everywhere = (small * rim).sum(dim=(2, 3), keepdim=True) / rim.sum()
    return (total + 1e-4 * everywhere) / (weight + 1e-4)


def _follow_edges(picture: Tensor, small: Tensor, matte: Tensor) -> Tensor:
    """The matte at full size, its edges where the picture's are (the fast guided filter)."""
    guide = small.mean(dim=1, keepdim=True)
    mean_guide, mean_matte = box_mean(guide, 2), box_mean(matte, 2)
    variance = (box_mean(guide * guide, 2) - mean_guide * mean_guide).clamp(min=0.0)
    slope = (box_mean(guide * matte, 2) - mean_guide * mean_matte) / (variance + _EDGE**2)
    offset = mean_matte - slope * mean_guide
    slope, offset = (
        F.interpolate(box_mean(part, 2), picture.shape[-2:], mode="bilinear", align_corners=False)
        for part in (slope, offset)
    )
    return slope * picture.mean(dim=1, keepdim=True) + offset
