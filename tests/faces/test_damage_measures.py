"""Noise and JPEG's blocks of a face: near the truth where they are known, silent where there are none."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.degradations.jpeg import jpeg
from lumiface.faces.blocks import block_strength
from lumiface.faces.face import Face
from lumiface.faces.measure import measure_face
from lumiface.faces.noise import noise_deviation

POINTS = ((196.0, 115.0), (240.0, 115.0), (220.0, 140.0), (200.0, 160.0), (238.0, 160.0))
FACE = Face((175.0, 60.0, 275.0, 195.0), 1.0, POINTS)


@pytest.fixture
def part(astronaut: Tensor) -> Tensor:
    """The astronaut's head, 256 pixels."""
    return astronaut.view(1, 3, 512, 512)[..., :256, 96:352].float()


def noisy(rgb: Tensor, levels: float) -> Tensor:
    noise = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(0))
    return ((rgb + levels / 255.0 * noise).clamp(0, 1) * 255).round() / 255


def compressed(rgb: Tensor, quality: int) -> Tensor:
    return jpeg(rgb, torch.tensor([quality]))


@pytest.mark.parametrize("levels", [4.0, 8.0, 16.0])
def test_noise_is_near_the_truth_whatever_the_texture(part: Tensor, levels: float) -> None:
    assert noise_deviation(noisy(part, levels)) == pytest.approx(levels, rel=0.2)
    assert noise_deviation(noisy(0.3 * part, levels)) == pytest.approx(levels, rel=0.15)
    flat = torch.full_like(part, 0.5)
    assert noise_deviation(noisy(flat, levels)) == pytest.approx(levels, rel=0.05)


def test_coarse_grain_is_noise_and_smoothness_is_none(part: Tensor) -> None:
    coarse = torch.randn((1, 3, 128, 128), generator=torch.Generator().manual_seed(1)) * 8 / 255
    grain = F.interpolate(coarse, (256, 256), mode="bicubic")
    truth = float(grain.std()) * 255
    assert noise_deviation((part + grain).clamp(0, 1)) == pytest.approx(truth, rel=0.3)
    smooth = F.interpolate(F.avg_pool2d(part, 8), (256, 256), mode="bicubic").clamp(0, 1)
    assert noise_deviation((smooth * 255).round() / 255) < 0.5
    assert noise_deviation(part) < 3.0
    assert noise_deviation(torch.zeros(1, 3, 64, 64)) == 0.0
    assert noise_deviation(part[..., :5, :5]) == 0.0


def test_blocks_grow_with_compression_and_are_found_after_a_crop(part: Tensor) -> None:
    strengths = [block_strength(compressed(part, quality)) for quality in (50, 30, 10)]
    assert 0.5 < strengths[0] < strengths[1] < strengths[2]
    assert block_strength(compressed(part, 30)[..., 3:, 5:]) == pytest.approx(strengths[1], rel=0.15)


@pytest.mark.parametrize("factor", [1.5, 2.0])
def test_blocks_are_found_after_enlargement(part: Tensor, factor: float) -> None:
    small = compressed(part, 10)
    assert block_strength(F.interpolate(small, scale_factor=factor, mode="bicubic").clamp(0, 1)) > 1.0


def test_without_compression_there_are_no_blocks(part: Tensor) -> None:
    assert block_strength(part) == 0.0
    assert block_strength(noisy(part, 8.0)) == 0.0
    assert block_strength(torch.full_like(part, 0.5)) == 0.0
    enlarged = F.interpolate(F.avg_pool2d(part, 4), (256, 256), mode="bicubic").clamp(0, 1)
    assert block_strength(enlarged) == 0.0
    assert block_strength(compressed(part, 10)[..., :40, :40]) == 0.0  # too small to tell


def test_a_face_is_measured_where_it_is(astronaut: Tensor) -> None:
    rgb = astronaut.view(1, 3, 512, 512).float()
    clean = measure_face(rgb, FACE)
    assert clean.noise < 4.0
    assert clean.blocks == 0.0
    bad = compressed(noisy(rgb, 12.0), 30)
    damaged = measure_face(bad, FACE)
    assert damaged.blocks > 1.0
    beside = rgb.clone()
    beside[..., 320:, :] = noisy(rgb, 20.0)[..., 320:, :]
    assert measure_face(beside, FACE).noise == clean.noise
    assert measure_face(noisy(rgb, 12.0), FACE).noise == pytest.approx(12.0, rel=0.15)
    outside = Face((600.0, 600.0, 640.0, 650.0), 1.0, tuple((x + 420.0, y + 500.0) for x, y in POINTS))
    assert measure_face(rgb, outside).blocks == 0.0
