"""The matte of a head: on all of the face, off the wall beside it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.faces.matte import head_matte

SIDE = 160


def _places() -> tuple[Tensor, Tensor]:
    at = (torch.arange(SIDE) + 0.5) / SIDE
    return at[None, :].expand(SIDE, SIDE), at[:, None].expand(SIDE, SIDE)


def _head(wall: float, skin: Tensor) -> tuple[Tensor, Tensor]:
    """A picture (1, 3, S, S) of an oval head before a wall, and where the head is."""
    u, v = _places()
    inside = ((u - 0.5) / 0.28).square() + ((v - 0.56) / 0.36).square() < 1.0
    picture = torch.where(inside, skin.expand(SIDE, SIDE), torch.tensor(wall))
    return picture.expand(1, 3, -1, -1).contiguous(), inside


@pytest.mark.parametrize("wall", [0.1, 0.45, 0.8])
def test_the_wall_is_off_and_the_head_is_on(wall: float) -> None:
    picture, inside = _head(wall, torch.tensor(0.3 if wall > 0.4 else 0.6))
    matte, _ = head_matte(picture, *_places())
    u, v = _places()
    beside = (u < 0.15) & (v < 0.6)
    assert float(matte[0, 0][inside].min()) > 0.9
    assert float(matte[0, 0][beside].max()) < 0.1


def test_a_cheek_in_the_half_shade_has_no_crack() -> None:
    """Light from one side: somewhere on the cheek the skin has the brightness of the wall."""
    u, v = _places()
    picture, inside = _head(0.4, 0.1 + 0.9 * u)
    matte, _ = head_matte(picture, *_places())
    cheeks = inside & ((v - 0.6).abs() < 0.06) & ((u - 0.5).abs() < 0.2)
    assert float(matte[0, 0][cheeks].min()) > 0.6
