"""lumiface-photo: how far an output pixel sees, and what it does before training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface.core.errors import SettingError
from lumiface.methods.lumiface_photo.model import LumifacePhoto, LumifacePhotoConfig
from lumiface.methods.lumiface_photo.recipe import LumifacePhotoRecipe, LumifacePhotoRecipeConfig


def network(scale: int) -> LumifacePhoto:
    torch.manual_seed(0)
    return LumifacePhoto(LumifacePhotoConfig.model_validate({"scale": scale, "blocks": 2, "channels": 8}))


@pytest.mark.parametrize("scale", [2, 4])
def test_an_output_pixel_sees_as_far_as_stated(scale: int) -> None:
    photo = network(scale).double()
    low = rand(1, 3, 60, 60, dtype=torch.float64).requires_grad_()
    middle = 30 * scale
    photo(low)[..., middle : middle + 4, middle : middle + 4].sum().backward()
    assert low.grad is not None
    seen = (low.grad != 0).any(dim=1)[0].nonzero()
    first, last = int(seen.min()), int(seen.max())
    cell = photo.fold  # of the grid; the four output pixels are one cell's
    assert 30 - first == photo.reach
    assert last - (30 + cell - 1) == photo.reach


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 22)])
def test_before_training_it_is_nearly_bicubic(scale: int, size: tuple[int, int]) -> None:
    low = rand(1, 3, *size)
    bicubic = F.interpolate(low, scale_factor=float(scale), mode="bicubic", align_corners=False)
    with torch.no_grad():
        output: Tensor = network(scale)(low)
    assert output.shape == bicubic.shape
    assert 0 < float((output - bicubic).abs().mean()) < 0.05


def test_the_recipe_damages_the_small_picture_alone() -> None:
    recipe = LumifacePhotoRecipe(LumifacePhotoRecipeConfig(), 0)
    high = rand(8, 3, 32, 32)
    low, target = recipe.degrade(high, "sr", 4, torch.Generator().manual_seed(0))
    assert low.shape == (8, 3, 8, 8)
    assert target is high
    assert recipe(high + 0.25, low, target, torch.zeros(8, 4))["l1"].item() == pytest.approx(0.25)
    with pytest.raises(SettingError, match="joint"):
        recipe.degrade(high, "joint", 4, torch.Generator())
