"""The light of a face: of the face alone, whatever is around it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.faces.measure import (
    WELL_LIT,
    FaceMeasures,
    exposure_weight,
    face_highlights,
    face_light,
    inner_face,
    is_readable,
)


def _portrait(skin: float, around: float, side: int = 128) -> Tensor:
    """A drawn face: an ellipse of skin with eyes and a mouth, before a wall or a sea."""
    at = (torch.arange(side) + 0.5) / side
    x, y = at[None, :], at[:, None]
    head = ((x - 0.5) / 0.26).square() + ((y - 0.55) / 0.36).square() < 1.0
    crop = torch.where(head, torch.tensor(skin), torch.tensor(around)).expand(1, 3, -1, -1).clone()
    for u, v in ((0.38, 0.47), (0.62, 0.47), (0.5, 0.74)):
        spot = ((x - u) / 0.05).square() + ((y - v) / 0.02).square() < 1.0
        crop = torch.where(spot, 0.5 * crop, crop)
    return crop


@pytest.mark.parametrize("around", [0.02, 0.3, 0.95])
def test_what_is_around_a_face_does_not_count(around: float) -> None:
    assert exposure_weight(face_light(_portrait(0.15, around))) == 0.0
    assert exposure_weight(face_light(_portrait(0.6, around))) == 1.0


def test_a_face_under_a_red_lamp_is_lit() -> None:
    red = _portrait(0.7, 0.1) * torch.tensor([1.0, 0.08, 0.12]).view(1, 3, 1, 1)
    assert exposure_weight(face_light(red)) == 1.0


def test_skin_in_white_light_is_measured_by_its_luma() -> None:
    skin = torch.tensor([0.52, 0.38, 0.32]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert face_light(skin) == pytest.approx(0.299 * 0.52 + 0.587 * 0.38 + 0.114 * 0.32, abs=1e-3)


def test_the_weight_rises_smoothly_between_its_bounds() -> None:
    low, high = WELL_LIT
    assert exposure_weight(low) == 0.0
    assert exposure_weight((low + high) / 2) == pytest.approx(0.5)
    assert exposure_weight(high) == 1.0


def test_dark_skin_in_good_light_is_not_taken_for_darkness() -> None:
    """It shines; in the dark nothing of a face does."""
    dim = _portrait(0.28, 0.4)
    at = (torch.arange(128) + 0.5) / 128
    shine = ((at[None, :] - 0.5) / 0.3).square() + ((at[:, None] - 0.5) / 0.04).square() < 1.0
    shining = torch.where(shine, torch.tensor(0.7), dim)
    assert face_highlights(dim) == pytest.approx(0.28, abs=1e-6)
    assert face_highlights(shining) == pytest.approx(0.7, abs=1e-6)
    light = 0.29
    assert exposure_weight(light, face_highlights(dim)) == exposure_weight(light) < 0.5
    assert exposure_weight(light, face_highlights(shining)) == 1.0
    # What is dark as a whole, a face lit from one side, stays dark.
    assert exposure_weight(0.2, 0.9) == 0.0
    # What is bright around a face tells nothing.
    assert face_highlights(_portrait(0.28, 1.0)) == face_highlights(dim)


def test_the_inner_face_fits_every_size() -> None:
    for side in (8, 33, 256):
        share = float(inner_face(side, torch.device("cpu")).mean())
        assert share == pytest.approx(torch.pi * 0.19 * 0.24, abs=0.03)


def test_a_face_of_a_handful_of_levels_cannot_be_read() -> None:
    """Of the values as stored: 5 of 255 levels."""
    for levels, readable in ((2, False), (5, False), (6, True), (20, True)):
        light = face_light(torch.full((1, 3, 64, 64), levels / 255.0))
        assert is_readable(FaceMeasures(64, light, 40)) == readable
