"""The crop of face recognisers: its place, its size, and its exposure."""

from __future__ import annotations

import pytest
import torch

from helpers import rand
from lumiface.losses.recognition_crop import BOX, EXPOSURE, SIDE, equalise_exposure, recognition_crop


@pytest.mark.parametrize("side", [32, 128, 500])
def test_the_crop_is_the_middle_of_the_face(side: int) -> None:
    across = ((torch.arange(side) + 0.5) / side).expand(1, 3, side, side)
    crop = recognition_crop(across)
    assert crop.shape == (1, 3, SIDE, SIDE)
    middle = crop[0, 0, SIDE // 2]
    assert float(middle[0]) == pytest.approx(BOX[0], abs=0.03)
    assert float(middle[-1]) == pytest.approx(BOX[2], abs=0.03)


@pytest.mark.parametrize("gain", [0.02, 0.3, 1.0])
def test_exposure_is_equal_whatever_the_light(gain: float) -> None:
    lit = equalise_exposure(gain * rand(2, 3, 56, 56))
    assert lit.mean(dim=(1, 2, 3)).tolist() == pytest.approx([EXPOSURE] * 2, abs=0.06)
    assert 0.0 <= float(lit.min()) <= float(lit.max()) <= 1.0
