"""Paste a restored face back into the photograph without a visible seam."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.align import invert
from lumiface.faces.matte import face_ellipse, head_matte, rim_radius
from lumiface.faces.warp import warp
from lumiface.imaging.color import luma

_SOLID, _RIM = 0.55, 0.97  # the mask is 1 up to the first radius and 0 from the second; 1 is the crop's edge
_FLOOR = 0.05  # added to numerator and denominator of the gain, so that black can be matched
_CELLS = 48  # the light around the face is compared on a grid of at most this many cells per side
_BLUR_SIGMA = 3.0  # standard deviation of the blur of that comparison, in cells


@dataclass(frozen=True, slots=True, eq=False)
class Pasted:
    """A canvas with a face pasted in, and the mask of the changed pixels.

    Attributes:
        canvas: (1, 3, H, W).
        mask: (1, 1, h, w) in [0, 1], the weight of the face in each pixel of the window; pixels outside the
            window and pixels where the mask is 0 are unchanged.
        window: top, left, bottom, right of the mask in canvas pixels.
    """

    canvas: Tensor
    mask: Tensor
    window: tuple[int, int, int, int]


def paste_face(
    canvas: Tensor,
    patch: Tensor,
    matrix: Tensor,
    *,
    scale: float = 1.0,
    match: bool = True,
    in_place: bool = False,
) -> Pasted:
    """Blend the aligned `patch` (1, 3, P, P) into `canvas` (1, 3, H, W), both RGB in [0, 1].

    The mask is the head (`matte.head_matte`) within a rounded oval inside the crop square: the wall beside
    a cheek stays the canvas's, however the patch shows it. With `match` the patch takes on the canvas's light
    and colour outside the face, but keeps its own over the face itself. Apart from the copy of the canvas,
    memory and time depend on the face's footprint only.

    Args:
        matrix: (2, 3), pixels of the *original* picture -> unit square, as returned by `align.face_matrix`.
        scale: size of the canvas over size of the original picture.
        in_place: write into `canvas` itself; by default a copy is made.
    """
    back = invert(matrix).to(canvas.device) * scale  # unit square -> canvas pixels
    out = canvas if in_place else canvas.clone()
    window = _window(back, canvas.shape[-2], canvas.shape[-1])
    top, left, bottom, right = window
    if bottom <= top or right <= left:  # the face lies outside the picture
        return Pasted(out, canvas.new_zeros(1, 1, 0, 0), (0, 0, 0, 0))
    size = (bottom - top, right - left)

    # Unit square of the window -> unit square of the patch -> pixels of the patch.
    window_scale = back.new_tensor([[size[1], 0.0], [0.0, size[0]]])
    forward = invert(back)
    to_unit = torch.cat(
        [forward[:, :2] @ window_scale, _apply(forward, back.new_tensor([left, top]))[:, None]], 1
    )
    face = warp(patch, to_unit * patch.shape[-1], size)
    under = out[..., top:bottom, left:right]
    u, v = _places(to_unit, size)
    oval = _oval(u, v).to(canvas.dtype)
    matte, distinct = head_matte(under, u, v)
    mask = oval * matte
    if match:  # the head keeps its own light; where it cannot be seen, an ellipse around the face does
        ellipse = face_ellipse(u, v).to(canvas.dtype)
        face = _match_light(face, under, oval, oval**2 * mask * (ellipse + (1.0 - ellipse) * distinct))
    under.copy_(torch.where(mask > 0, under.lerp(face, mask), under))
    return Pasted(out, mask, window)


def seam_score(after: Tensor, before: Tensor, mask: Tensor) -> float:
    """How visible the mask's edge is: 0 invisible, above 1 clearly visible.

    The change made by the paste, `after - before` (1, 3, h, w, in the mask's window), must be smooth across
    the slope of the `mask` (1, 1, h, w). Its luma gradient along the mask's own gradient is averaged over
    blocks of 8x8 pixels, where random detail cancels and an edge does not, and divided by the magnitude of
    the picture's own gradients there plus 1/255, the smallest visible step.
    """
    toward = _gradient(mask)  # (1, 2, h, w)
    steepness = toward.norm(dim=1, keepdim=True)
    if float(steepness.sum()) == 0.0:
        return 0.0
    normal = toward / steepness.clamp(min=1e-12)
    change = (_gradient(luma(after - before)) * normal).sum(1, keepdim=True)
    cell = min(8, *mask.shape[-2:])
    weight = F.avg_pool2d(steepness, cell)
    coherent = F.avg_pool2d(change * steepness, cell).abs().sum() / weight.sum()
    texture = (_gradient(luma(before)).norm(dim=1, keepdim=True) * steepness).sum() / steepness.sum()
    return float(coherent / (texture + 1.0 / 255.0))


def _window(back: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the crop square on the canvas, clipped to it."""
    corners = back @ back.new_tensor([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    low, high = corners.amin(1).floor().tolist(), corners.amax(1).ceil().tolist()
    return max(0, int(low[1])), max(0, int(low[0])), min(height, int(high[1])), min(width, int(high[0]))


def _apply(matrix: Tensor, point: Tensor) -> Tensor:
    return matrix[:, :2] @ point + matrix[:, 2]


def _places(to_unit: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where the pixels of a window lie in the patch, u across and v down, 0 to 1; each (h, w).

    `to_unit` maps the unit square of the window to the patch's.
    """
    rows = (torch.arange(size[0], device=to_unit.device, dtype=to_unit.dtype) + 0.5) / size[0]
    columns = (torch.arange(size[1], device=to_unit.device, dtype=to_unit.dtype) + 0.5) / size[1]
    u, v = (
        to_unit[i, 0] * columns[None, :] + to_unit[i, 1] * rows[:, None] + to_unit[i, 2] for i in range(2)
    )
    return u, v


def _oval(u: Tensor, v: Tensor) -> Tensor:
    """The outer bound (1, 1, h, w) of the mask, by the places in the patch."""
    slope = ((_RIM - rim_radius(u, v)) / (_RIM - _SOLID)).clamp(0.0, 1.0)
    return (slope**3 * (10 - 15 * slope + 6 * slope**2))[None, None]  # flat at both ends, twice


def _match_light(face: Tensor, under: Tensor, mask: Tensor, own: Tensor) -> Tensor:
    """`face` with the light and colour of `under` where `own` is 0, its own where that is 1.

    Per channel, low-pass means of both where the face is not give a slowly varying gain; a floor is
    added to all values first, so that the gain maps one mean to the other even at black.
    """
    height, width = mask.shape[-2:]
    cell = max(1.0, max(height, width) / _CELLS)
    grid = (max(1, round(height / cell)), max(1, round(width / cell)))
    weight = (mask > 0).to(face.dtype) * (1.0 - own)
    packed = torch.cat([face * weight, under * weight, weight], 1)
    means = _blur(F.interpolate(packed, grid, mode="area"))
    total = means[:, 6:] + 1e-6
    gain = (means[:, 3:6] / total + _FLOOR) / (means[:, :3] / total + _FLOOR)
    gain = F.interpolate(gain.log(), (height, width), mode="bicubic", align_corners=False).exp()
    matched = ((face + _FLOOR) * gain - _FLOOR).clamp(0.0, 1.0)
    return matched.lerp(face, own)


def _blur(grid: Tensor) -> Tensor:
    """Gaussian over the cells of (1, C, h, w); edge cells are repeated."""
    radius = math.ceil(3 * _BLUR_SIGMA)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=grid.device) / _BLUR_SIGMA) ** 2)
    taps = (taps / taps.sum()).to(grid.dtype)
    channels = grid.shape[1]
    for kernel, padding in ((taps[:, None], (0, 0, radius, radius)), (taps[None, :], (radius, radius, 0, 0))):
        padded = F.pad(grid, padding, mode="replicate")
        grid = F.conv2d(padded, kernel.expand(channels, 1, *kernel.shape), groups=channels)
    return grid


def _gradient(plane: Tensor) -> Tensor:
    """(1, 1, h, w) -> (1, 2, h, w): forward differences along x and y, 0 in the last column and row."""
    x = F.pad(plane[..., :, 1:] - plane[..., :, :-1], (0, 1))
    y = F.pad(plane[..., 1:, :] - plane[..., :-1, :], (0, 0, 0, 1))
    return torch.cat([x, y], 1)
