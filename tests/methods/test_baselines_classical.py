"""The enhancers without parameters: gamma, CLAHE, LIME."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers import psnr, rand
from lumiface.methods.baselines.classical import (
    CLAHEConfig,
    CLAHEEnhancer,
    GammaConfig,
    GammaEnhancer,
    LIMEConfig,
    LIMEEnhancer,
)

CLASSICAL: list[nn.Module] = [
    GammaEnhancer(GammaConfig()),
    CLAHEEnhancer(CLAHEConfig()),
    LIMEEnhancer(LIMEConfig()),
]


@pytest.mark.parametrize("enhancer", CLASSICAL, ids=lambda enhancer: type(enhancer).__name__)
def test_classical_enhancers_brighten(enhancer: Any, dark: tuple[Tensor, Tensor]) -> None:
    low, bright = dark
    output = enhancer(low)
    assert not list(enhancer.parameters())
    assert output.min() >= 0
    assert output.max() <= 1
    assert output.mean() > 1.5 * low.mean()
    assert psnr(output, bright) > psnr(low, bright) + 2


@pytest.mark.parametrize("enhancer", CLASSICAL, ids=lambda enhancer: type(enhancer).__name__)
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (17, 23)])
def test_classical_enhancers_accept_any_image(enhancer: Any, size: tuple[int, int]) -> None:
    dark = rand(2, 3, *size) * 0.2
    for low in (dark, torch.zeros_like(dark), torch.ones_like(dark), dark.to(torch.bfloat16)):
        output = enhancer(low)
        assert output.shape == low.shape
        assert output.dtype == low.dtype
        assert output.isfinite().all()
    torch.testing.assert_close(enhancer(dark)[1:], enhancer(dark[1:]), atol=1e-6, rtol=1e-5)
    assert enhancer(torch.zeros_like(dark)).max() < 0.05  # black stays black
    assert enhancer(torch.ones_like(dark)).min() > 0.99


def test_gamma_reaches_the_target_mean() -> None:
    low = rand(3, 3, 20, 20) ** 3
    for mean in (0.3, 0.5):
        output = GammaEnhancer(GammaConfig(mean=mean))(low)
        torch.testing.assert_close(output.mean(dim=(1, 2, 3)), torch.full((3,), mean), atol=1e-4, rtol=0)


def test_clahe_equals_opencvs_on_lightness(dark: tuple[Tensor, Tensor]) -> None:
    import cv2
    import numpy as np

    low, _ = dark
    eight_bit = (low[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    lab = cv2.cvtColor(eight_bit, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[..., 0])
    expected = torch.from_numpy(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)).permute(2, 0, 1) / 255
    # OpenCV's 8-bit path also rounds a and b, which explains the difference.
    assert (CLAHEEnhancer(CLAHEConfig())(low)[0] - expected).abs().mean() < 0.01


def test_lime_equalises_illumination_and_keeps_texture() -> None:
    # Two textured areas, one with a tenth of the illumination: equal brightness, texture kept.
    wall = 0.5 + 0.2 * (rand(1, 1, 64, 128) - 0.5).expand(1, 3, 64, 128)
    shade = torch.where(torch.arange(128) < 64, 0.1, 1.0)
    output = LIMEEnhancer(LIMEConfig(gamma=1.0, floor=0.001))(wall * shade)
    left, right = output[..., :56].mean().item(), output[..., 72:].mean().item()
    assert left == pytest.approx(right, rel=0.25)
    assert output[..., :56].std() > 0.5 * wall[..., :56].std()
