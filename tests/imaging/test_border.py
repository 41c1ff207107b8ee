"""Frames around photographs."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface.imaging.border import copy_frame, inside_frame


def _framed(inner: Tensor, sides: tuple[int, int, int, int], level: float) -> Tensor:
    """Left, right, top and bottom strips around a picture, here and there off by a level, as in JPEG."""
    framed = F.pad(inner, sides, value=level)
    wrong = F.pad(torch.zeros_like(inner), sides, value=1.0) * (rand(*framed.shape, seed=1) > 0.7) / 255.0
    return framed + wrong


@pytest.mark.parametrize("sides", [(9, 9, 9, 9), (0, 0, 7, 7), (4, 4, 4, 16), (0, 12, 0, 0)])
@pytest.mark.parametrize("level", [0.3, 0.55, 0.98])
def test_it_is_found_to_the_pixel(sides: tuple[int, int, int, int], level: float) -> None:
    inner = 0.25 * rand(1, 3, 48, 60)
    picture = _framed(inner, sides, level)
    left, _, top, _ = sides
    assert inside_frame(picture) == (top, left, top + 48, left + 60)
    framed = copy_frame(picture, torch.zeros_like(picture))
    assert torch.equal(framed, picture * F.pad(torch.zeros(1, 1, 48, 60), sides, value=1.0))


def _head_before_a_wall() -> Tensor:
    y, x = torch.arange(60.0)[:, None], torch.arange(50.0)
    head = ((x - 25).square() + (y - 30).square()).sqrt() < 14
    return torch.where(head, 0.1, 0.4).expand(1, 3, -1, -1)


@pytest.mark.parametrize(
    "picture",
    [
        0.25 * rand(1, 3, 40, 40),
        torch.full((1, 3, 30, 30), 0.5),
        torch.linspace(0.2, 0.8, 60)[:, None].expand(1, 3, 60, 40),
        F.pad(0.3 * rand(1, 3, 40, 40), (5, 5, 5, 5)),
        _head_before_a_wall(),
        rand(1, 3, 1, 1),
        rand(1, 3, 2, 300),
    ],
    ids=["none", "one colour", "a sky that fades", "black", "a head before a wall", "one pixel", "two rows"],
)
def test_what_is_no_frame(picture: Tensor) -> None:
    assert inside_frame(picture) is None
    untouched = torch.zeros_like(picture)
    assert copy_frame(picture, untouched) is untouched
    assert not untouched.any()


def test_of_a_large_picture_only_the_rows_at_its_sides_are_read() -> None:
    class Counted:
        """Counts the values that are read."""

        def __init__(self, rgb: Tensor) -> None:
            self.rgb, self.shape, self.most = rgb, rgb.shape, 0

        def __getitem__(self, at: Any) -> Tensor:
            part = self.rgb[at]
            self.most = max(self.most, part.numel())
            return part

    framed = _framed(0.25 * rand(1, 3, 400, 300), (60, 60, 60, 60), 0.9)
    counted = Counted(framed)
    assert inside_frame(cast("Tensor", counted)) == (60, 60, 460, 360)
    assert counted.most <= 3 * 16 * 520
