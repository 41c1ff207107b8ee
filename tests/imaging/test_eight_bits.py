"""A picture of 8 bits in a quarter of the memory."""

from __future__ import annotations

import torch

from helpers import rand
from lumiface.faces.warp import warp
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.eight_bits import as_eight_bits
from lumiface.imaging.quantize import quantize


def test_parts_of_it_have_the_very_values() -> None:
    picture = quantize(rand(1, 3, 40, 50))
    small = as_eight_bits(picture)
    assert small is not None
    assert small.shape == picture.shape
    for part in ((..., slice(3, 9), slice(10, 50)), (..., slice(1, 39, 3), slice(0, 50, 2))):
        assert torch.equal(small[part], picture[part])
    back = torch.tensor([[20.0, 3.0, 5.0], [-2.0, 25.0, 4.0]])
    assert torch.equal(warp(small, back, (16, 16)), warp(picture, back, (16, 16)))


def test_a_picture_with_values_between_the_levels_is_none() -> None:
    picture = quantize(rand(1, 3, 40, 50))
    picture[0, 0, 39, 49] += 0.1 / 255.0
    assert as_eight_bits(picture) is None


def test_the_denoised_takes_the_place_of_the_picture() -> None:
    noise = 0.03 * torch.randn(1, 3, 300, 280, generator=torch.Generator().manual_seed(0))
    picture = quantize((0.1 + noise).clamp(0, 1))
    expected = denoise_shadows(picture)
    small = as_eight_bits(picture)
    assert small is not None
    assert denoise_shadows(small, picture) is picture
    assert torch.equal(picture, expected)
