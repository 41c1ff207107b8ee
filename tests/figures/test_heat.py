"""Heat maps over faces."""

from __future__ import annotations

import torch

from helpers import rand
from lumiface.figures.heat import TOP, head_ellipse, heat_overlay, ramp
from lumiface.imaging.color import luma


def test_colours_become_darker_and_zero_stays_grey() -> None:
    lights = luma(ramp(torch.linspace(0, 1, 50)[None, None, None]))[0, 0, 0]
    assert bool((lights.diff() < 0).all())
    shown = heat_overlay(rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))
    assert torch.allclose(shown[:, :1].expand_as(shown), shown)
    hot = heat_overlay(torch.zeros(1, 3, 16, 16), torch.full((1, 1, 4, 4), TOP))
    assert float(hot[0, 0].mean()) > 2 * float(hot[0, 1].mean())


def test_the_head_lies_inside_the_square() -> None:
    head = head_ellipse(torch.zeros(1, 1, 64, 64))
    assert float(head[0, 0, 34, 32]) == 1.0
    assert float(head[0, 0, 0, 0]) == float(head[0, 0, 0, -1]) == 0.0
    assert torch.equal(head, head.flip(-1))
