"""What a restored face keeps of the input: its hues, and at least as much light as a lit face has."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.faces.measure import face_light
from lumiface.imaging.color import luma
from lumiface.restoration.light.preserve import LEAST_FACE_LIGHT, give_least_light, preserve_chroma


def _hue(rgb: Tensor) -> Tensor:
    """(1, 3, H, W) -> degrees, (H, W)."""
    r, g, b = rgb[0]
    return torch.rad2deg(torch.atan2(3**0.5 * (g - b), 2 * r - g - b))


@pytest.mark.parametrize("colour", [(0.90, 0.68, 0.55), (0.45, 0.28, 0.20), (0.70, 0.55, 0.60)])
def test_a_restored_face_keeps_the_hue_of_the_skin(colour: tuple[float, float, float]) -> None:
    dark = 0.2 * torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    drawn = torch.tensor([0.60, 0.44, 0.36]).view(1, 3, 1, 1).expand(1, 3, 128, 128)  # an average skin
    kept = preserve_chroma(dark, drawn)
    assert float((_hue(kept) - _hue(dark)[0, 0]).abs().max()) < 3.0
    torch.testing.assert_close(luma(kept), luma(drawn), atol=1e-3, rtol=0)


def test_black_has_no_hue_to_keep() -> None:
    black = torch.tensor([2.0, 1.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32) / 255.0
    drawn = torch.tensor([0.60, 0.44, 0.36]).view(1, 3, 1, 1).expand(1, 3, 128, 128)
    torch.testing.assert_close(preserve_chroma(black, drawn), drawn, atol=1e-3, rtol=0)


def test_a_dim_output_is_lit_and_what_is_bright_stays() -> None:
    dim = torch.full((1, 3, 64, 64), 0.9)
    dim[..., 12:62, 14:50] = torch.tensor([0.25, 0.18, 0.15]).view(3, 1, 1)
    lit = give_least_light(dim)
    assert face_light(lit) == pytest.approx(LEAST_FACE_LIGHT, abs=0.01)
    assert float((lit - dim)[..., :10, :].abs().max()) < 0.08
    assert float((_hue(lit) - _hue(dim))[20:60, 20:44].abs().max()) < 0.1
    assert torch.equal(give_least_light(lit.clamp(min=0.4)), lit.clamp(min=0.4))
