"""A face put back where it came from: no seam, nothing else touched."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.align import crop_face, invert
from lumiface.faces.paste import Pasted, paste_face, seam_score
from lumiface.faces.warp import warp
from lumiface.imaging.color import luma


def _square(side: float, degrees: float, x: float, y: float) -> Tensor:
    """Picture -> unit square, for a square of `side` rotated about its centre (x, y)."""
    c, s = side * math.cos(math.radians(degrees)), side * math.sin(math.radians(degrees))
    return invert(torch.tensor([[c, -s, x - (c - s) / 2], [s, c, y - (s + c) / 2]]))


FACE = _square(165.0, 3.5, 224.0, 116.0)


def _seam(pasted: Pasted, before: Tensor) -> float:
    top, left, bottom, right = pasted.window
    part = (..., slice(top, bottom), slice(left, right))
    return seam_score(pasted.canvas[part], before[part], pasted.mask)


@pytest.mark.parametrize("size", [165, 256, 512])
@pytest.mark.parametrize("match", [True, False])
def test_identical_crop_changes_nothing(astronaut: Tensor, size: int, match: bool) -> None:
    pasted = paste_face(astronaut, crop_face(astronaut, FACE, size), FACE, match=match)
    assert (pasted.canvas - astronaut).abs().mean() < 0.25 / 255
    top, left, bottom, right = pasted.window
    inside = (pasted.canvas - astronaut)[..., top:bottom, left:right].abs().mean()
    assert inside < 1.2 / 255  # twice resampled, hair and teeth included
    # Not 0: the mask's slope follows the picture's own edges, which resampling blurs.
    assert _seam(pasted, astronaut) < 0.05


def test_identical_upright_crop_is_exact(astronaut: Tensor) -> None:
    matrix = _square(128.0, 0.0, 224.0, 116.0)
    pasted = paste_face(astronaut, crop_face(astronaut, matrix, 128), matrix)
    assert (pasted.canvas - astronaut).abs().max() < 1e-3


@pytest.mark.parametrize("degrees", [0.0, 25.0])
@pytest.mark.parametrize("offset", [0.1, -0.1])
def test_offset_leaves_no_step_at_the_rim(degrees: float, offset: float) -> None:
    """On a flat canvas every step would show: an offset of 25 levels is spread to steps of two, and in the
    outer part of the slope, where the canvas's light rules, of a tenth of a level."""
    canvas = torch.full((1, 3, 300, 300), 0.5)
    matrix = _square(180.0, degrees, 150.0, 150.0)
    pasted = paste_face(canvas, torch.full((1, 3, 128, 128), 0.5 + offset), matrix)
    top, left, bottom, right = pasted.window
    mask = torch.zeros(1, 1, 300, 300)
    mask[..., top:bottom, left:right] = pasted.mask
    for axis in (2, 3):
        steps = pasted.canvas.diff(dim=axis).abs().amax(1, keepdim=True)
        assert steps.max() < 0.01
        assert steps[mask.narrow(axis, 1, 299) < 0.25].max() < 0.0005
    assert pasted.canvas[0, 0, 150, 150] == pytest.approx(0.5 + offset, abs=1e-3)  # the face keeps its light
    assert _seam(pasted, canvas) < 0.2


def test_offset_and_cast_leave_no_seam_on_a_photo(astronaut: Tensor) -> None:
    """The head keeps its own light up to its outline, so an offset of 25 levels ends there, at an edge of the
    picture's own: 0.27, without `match` 0.37. A cast, which is 0 on average, leaves 0.08."""
    crop = crop_face(astronaut, FACE, 256)
    cast = crop * torch.tensor([1.2, 1.0, 0.8]).view(1, 3, 1, 1)
    for changed, most in ((crop + 0.1, 0.3), (crop - 0.1, 0.3), (cast, 0.09)):
        assert _seam(paste_face(astronaut, changed.clamp(0, 1), FACE), astronaut) < most


def test_seam_score_sees_a_hard_edge(astronaut: Tensor) -> None:
    soft = paste_face(astronaut, (crop_face(astronaut, FACE, 256) + 0.1).clamp(0, 1), FACE, match=False)
    top, left, bottom, right = soft.window
    before = astronaut[..., top:bottom, left:right]
    hard = (soft.mask > 0).float()
    after = before + 0.1 * hard
    assert seam_score(after, before, hard) > 1.0
    assert seam_score(before, before, hard) == 0.0
    assert seam_score(after, before, torch.ones_like(hard)) == 0.0  # no rim, no seam


def test_match_takes_the_canvas_s_light_and_colour_along_the_rim(astronaut: Tensor) -> None:
    """A bright face on a dark, blue canvas: in the outer half of the slope the canvas's tone rules."""
    dark = (0.3 * astronaut**1.5 + torch.tensor([0.0, 0.02, 0.08]).view(1, 3, 1, 1)).clamp(0, 1)
    crop = crop_face(astronaut, FACE, 256)
    error = {}
    for match in (True, False):
        pasted = paste_face(dark, crop, FACE, match=match)
        top, left, bottom, right = pasted.window
        outer = ((pasted.mask > 0) & (pasted.mask < 0.4)).expand(-1, 3, -1, -1)
        change = (pasted.canvas - dark)[..., top:bottom, left:right]
        error[match] = float(change[outer].mean())
        centre = (..., slice(110, 120), slice(220, 228))
        assert (pasted.canvas[centre] - astronaut[centre]).abs().mean() < 0.02
    assert abs(error[True]) < 0.25 * abs(error[False])


def test_only_the_mask_is_touched(astronaut: Tensor) -> None:
    original = astronaut.clone()
    pasted = paste_face(astronaut, torch.rand(1, 3, 64, 64), FACE)
    assert torch.equal(astronaut, original)  # a copy by default
    top, left, bottom, right = pasted.window
    touched = torch.zeros(1, 1, 512, 512)
    touched[..., top:bottom, left:right] = pasted.mask
    untouched = (touched == 0).expand(-1, 3, -1, -1)
    assert torch.equal(pasted.canvas[untouched], original[untouched])
    assert not torch.equal(pasted.canvas, original)


def test_mask_is_smooth_and_ends_inside_the_square() -> None:
    """On a flat canvas nothing tells head and background apart: the mask is the oval alone."""
    canvas = torch.full((1, 3, 512, 512), 0.4)
    mask = paste_face(canvas, torch.rand(1, 3, 64, 64), _square(200.0, 0.0, 250.0, 250.0)).mask
    assert mask.shape[-2:] == (200, 200)
    rim = torch.cat([mask[..., 0, :], mask[..., -1, :], mask[..., :, 0], mask[..., :, -1]])
    assert rim.max() == 0.0
    assert mask[0, 0, 60:140, 60:140].min() == 1.0
    assert mask[0, 0, 10, 10] == 0.0  # rounded corners
    assert mask.diff(dim=3).abs().max() < 0.06
    torch.testing.assert_close(mask, mask.flip(3))


def test_into_writes_in_place_and_scale_moves_the_face(astronaut: Tensor) -> None:
    canvas = F.interpolate(astronaut, scale_factor=2.0, mode="bilinear")
    result = paste_face(canvas, torch.ones(1, 3, 64, 64), FACE, scale=2.0, in_place=True)
    assert result.canvas.data_ptr() == canvas.data_ptr()
    assert canvas[0, :, 232, 448].min() > 0.99
    top, left, bottom, right = result.window
    assert (left + right) / 2 == pytest.approx(448, abs=1)
    assert (top + bottom) / 2 == pytest.approx(232, abs=1)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (512.0, 250.0), (-70.0, 300.0)])
def test_face_over_the_rim(astronaut: Tensor, centre: tuple[float, float]) -> None:
    matrix = _square(160.0, 10.0, *centre)
    pasted = paste_face(astronaut, crop_face(astronaut, matrix, 160), matrix)
    assert pasted.canvas.shape == astronaut.shape
    assert (pasted.canvas - astronaut).abs().mean() < 0.25 / 255


def test_face_outside_the_picture(astronaut: Tensor) -> None:
    pasted = paste_face(astronaut, torch.rand(1, 3, 32, 32), _square(100.0, 0.0, 900.0, 100.0))
    assert torch.equal(pasted.canvas, astronaut)
    assert pasted.mask.numel() == 0


def test_large_canvas_costs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is computed is of the size of the face's window, not of the canvas."""
    sizes: list[int] = []

    def spy(rgb: Tensor, back: Tensor, size: tuple[int, int]) -> Tensor:
        sizes.append(size[0] * size[1])
        return warp(rgb, back, size)

    monkeypatch.setattr("lumiface.faces.paste.warp", spy)
    canvas = torch.zeros(1, 3, 4000, 3000)
    pasted = paste_face(
        canvas, torch.rand(1, 3, 128, 128), _square(150.0, 0.0, 1000.0, 2000.0), in_place=True
    )
    assert sizes == [pasted.mask.numel()]
    assert pasted.mask.numel() <= 151 * 151


def _before_a_wall(skin: float, hair: float, wall: float, size: int = 300) -> tuple[Tensor, Tensor]:
    """A drawn head before a flat wall, in the middle of a picture, and where the wall is, (size, size)."""
    at = torch.arange(size) + 0.5
    x, y = (at[None, :] - 60) / 180, (at[:, None] - 60) / 180  # the aligned square is 180 pixels wide
    face = ((x - 0.5) / 0.21).square() + ((y - 0.58) / 0.30).square() < 1.0
    head = face | (((x - 0.5) / 0.27).square() + ((y - 0.45) / 0.32).square() < 1.0)
    neck = ((x - 0.5).abs() < 0.13) & (y > 0.8)
    plane = torch.full((size, size), wall)
    plane[neck], plane[head], plane[face] = skin, hair, skin
    outside = F.max_pool2d((head | neck).float()[None], 9, 1, 4)[0] == 0.0
    return plane.expand(1, 3, -1, -1).clone(), outside


@pytest.mark.parametrize("wall", [0.2, 0.35, 0.85])
@pytest.mark.parametrize("patch_wall", [0.1, 0.6, 0.95])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_no_oval_on_the_wall_behind_a_head(wall: float, patch_wall: float, scale: float) -> None:
    """The patch shows the wall with a light of its own; on the wall of the result there is no step."""
    canvas, outside = _before_a_wall(0.5, 0.05, wall)
    matrix = _square(180.0, 0.0, 150.0, 150.0)
    patch = crop_face(_before_a_wall(0.55, 0.08, patch_wall)[0], matrix, 180)
    large = F.interpolate(canvas, scale_factor=scale, mode="bilinear") if scale > 1 else canvas
    pasted = paste_face(large, patch, matrix, scale=scale)
    away = F.interpolate(outside[None, None].float(), scale_factor=scale, mode="nearest")[0, 0] > 0
    on_wall = luma(pasted.canvas)[0, 0][away]
    assert float((on_wall - wall).abs().max()) < 2.0 / 255.0
    middle = round(150 * scale)
    assert float(pasted.canvas[0, 0, middle, middle]) == pytest.approx(0.55, abs=0.01)  # the patch's face


def test_hair_and_jaw_bound_the_mask() -> None:
    canvas, outside = _before_a_wall(0.5, 0.05, 0.35)
    pasted = paste_face(canvas, torch.rand(1, 3, 64, 64), _square(180.0, 0.0, 150.0, 150.0))
    top, left, bottom, right = pasted.window
    mask = torch.zeros(300, 300)
    mask[top:bottom, left:right] = pasted.mask[0, 0]
    assert float(mask[outside].max()) < 0.05
    assert float(mask[90:100, 140:160].min()) > 0.8  # hair above the forehead
    assert float(mask[205:212, 145:155].min()) > 0.75  # the chin
