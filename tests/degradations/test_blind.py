"""Blind degradation: in its ranges, seeded, each part by itself what it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from helpers import psnr, rand
from lumiface.degradations.blind import (
    OPTIONAL,
    PARAMETERS,
    BlindConfig,
    apply_blind,
    blur_kernels,
    sample_blind,
)
from lumiface.degradations.jitter import JitterConfig
from lumiface.degradations.jpeg import jpeg
from lumiface.degradations.motion import MotionConfig
from lumiface.imaging.color import luma
from lumiface.registry import build_recipe

CHEAP: dict[str, Any] = {"perceptual": 0.0, "identity": 0.0}

NOTHING: dict[str, Any] = {
    "sigma": (0.0, 0.0), "factor": (1.0, 1.0), "noise": (0.0, 0.0), "quality": (100, 100), "colour": 0.0,
    "grey": 0.0,
}  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def damage(pictures: Tensor, **ranges: Any) -> Tensor:
    sampled = sample_blind(
        len(pictures), pictures.shape[-1], BlindConfig(**(NOTHING | ranges)), seeded(), pictures.device
    )
    return apply_blind(pictures, sampled, seeded(1))


def test_what_is_drawn_lies_in_its_ranges() -> None:
    config = BlindConfig()
    sampled = sample_blind(4000, 512, config, seeded(), "cpu")
    for values, (low, high) in (
        (sampled.sigma_x, (0.1, 10.0)), (sampled.sigma_y, (0.1, 10.0)), (sampled.noise * 255, (0.0, 20.0)),
        (sampled.quality, (60, 100)), (sampled.factor, (1.0, 8.0)),
    ):  # fmt: skip
        assert low <= values.min()
        assert values.max() <= high + 1e-4
        assert values.max() - values.min() > 0.95 * (high - low)
    assert (sampled.sigma_x == sampled.sigma_y).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert (sampled.red != 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert sampled.red.abs().max() <= 20 / 255
    assert sampled.grey.mean().item() == pytest.approx(0.01, abs=0.006)
    half = sample_blind(4000, 256, config, seeded(), "cpu")
    torch.testing.assert_close(half.sigma_x, sampled.sigma_x / 2)  # the same blur on a picture half the size
    assert sampled.as_dict(3)["quality"] == sampled.quality[3].item()


def test_the_same_seed_gives_the_same_pictures(faces: Tensor) -> None:
    one, other = damage(faces, noise=(5.0, 20.0)), damage(faces, noise=(5.0, 20.0))
    assert torch.equal(one, other)
    assert ((one * 255).round() / 255 - one).abs().max() < 1e-6
    sampled = sample_blind(4, 128, BlindConfig(), seeded(), "cpu")
    again = sample_blind(4, 128, BlindConfig(noise=(0.0, 1.0)), seeded(), "cpu")
    assert torch.equal(sampled.factor, again.factor)  # one range changes no other number


def test_each_part_by_itself(faces: Tensor) -> None:
    unharmed = jpeg(faces, torch.full((4,), 100))
    torch.testing.assert_close(damage(faces), unharmed, atol=1e-6, rtol=0)
    assert psnr(damage(faces, sigma=(8.0, 8.0)), faces) < psnr(damage(faces, sigma=(2.0, 2.0)), faces) < 40
    assert psnr(damage(faces, factor=(8.0, 8.0)), faces) < psnr(damage(faces, factor=(2.0, 2.0)), faces) < 40
    grey = torch.full((2, 3, 64, 64), 0.5)
    noisy = damage(grey, noise=(10.0, 10.0))
    # JPEG keeps the luma's noise, that of three weighed channels, and takes most of the colours'.
    kept = 10.0 * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5
    assert luma(noisy).std().item() * 255 == pytest.approx(kept, rel=0.08)
    shifted = damage(grey, colour=1.0)
    assert (shifted.mean(dim=(2, 3)) - 0.5).abs().max() > 0.005
    assert shifted.flatten(2).std(dim=2).max() < 1e-6
    without = damage(faces, grey=1.0)
    assert (without.amax(dim=1) - without.amin(dim=1)).max() == 0


def test_parts_that_are_off_change_nothing_and_are_not_stored() -> None:
    assert set(BlindConfig().model_dump()) == {*NOTHING, "isotropic", "shift"}
    assert BlindConfig.model_validate(BlindConfig().model_dump()) == BlindConfig()
    plain = sample_blind(8, 256, BlindConfig(), seeded(), "cpu")
    assert set(plain.as_dict(0)) == set(PARAMETERS)
    both = sample_blind(8, 256, BlindConfig.model_validate({"motion": {}, "jitter": {}}), seeded(), "cpu")
    for name in PARAMETERS:  # drawn before the parts that are on
        assert torch.equal(getattr(both, name), getattr(plain, name)), name
    assert set(both.as_dict(0)) == {*PARAMETERS, *OPTIONAL}


def test_motion_and_jitter_by_themselves(faces: Tensor) -> None:
    line = {"prob": 1.0, "length": (40.0, 40.0), "straight": 1.0}
    moved = damage(faces, motion=line)
    assert psnr(moved, faces) < 38
    assert torch.equal(damage(faces, motion=line | {"prob": 0.0}), damage(faces))
    bright = {"prob": 1.0, "brightness": (0.5, 0.5), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    torch.testing.assert_close(damage(faces, jitter=bright), 0.5 * damage(faces), atol=0.6 / 255, rtol=0)
    assert torch.equal(damage(faces, jitter=bright | {"prob": 0.0}), damage(faces))
    config = BlindConfig.model_validate(NOTHING | {"motion": line, "sigma": (1.0, 1.0)})
    kernels = blur_kernels(sample_blind(4, 512, config, seeded(), "cpu"))
    assert kernels.shape == (4, 43, 43)  # 40 / 2 + 1 pixels to either side; the Gaussian alone has 3


def test_presets_are_settings_that_others_overrule() -> None:
    gfpgan = BlindConfig.model_validate({"preset": "gfpgan"})
    assert gfpgan == BlindConfig(jitter=JitterConfig())
    dfdnet = BlindConfig.model_validate({"preset": "dfdnet", "noise": (0.0, 5.0)})
    assert (dfdnet.quality, dfdnet.noise, dfdnet.motion) == ((40, 80), (0.0, 5.0), MotionConfig())
    assert "preset" not in dfdnet.model_dump()
    assert BlindConfig.model_validate(dfdnet.model_dump()) == dfdnet
    sampled = sample_blind(4000, 512, dfdnet, seeded(), "cpu")
    assert sampled.motion_length is not None
    assert (sampled.motion_length > 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    with pytest.raises(ValidationError, match="preset: 'foggy' is none of gfpgan, dfdnet"):
        BlindConfig.model_validate({"preset": "foggy"})
    with pytest.raises(ValidationError, match=r"preset: \{'gfpgan': 1\} is none of"):
        BlindConfig.model_validate({"preset": {"gfpgan": 1}})
    recipe: Any = build_recipe("fusion-bfr-restorer", CHEAP | {"degradation": {"preset": "dfdnet"}}, 0)
    assert recipe.config.degradation == BlindConfig.model_validate({"preset": "dfdnet"})
    one = recipe.degrade(rand(2, 3, 64, 64), seeded())
    assert not torch.equal(
        one, build_recipe("fusion-bfr-restorer", CHEAP, 0).degrade(rand(2, 3, 64, 64), seeded())
    )


def test_ranges_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="quality: need 1 <= low <= high <= 100"):
        BlindConfig(quality=(90, 60))
    with pytest.raises(ValidationError, match="noise"):
        BlindConfig(noise=(-1.0, 3.0))
