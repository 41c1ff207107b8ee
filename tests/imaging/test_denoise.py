"""Noise: how much there is, and that the dark parts are rid of it while edges and bright parts stay."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lumiface.imaging.denoise import denoise_shadows, noise_level
from lumiface.imaging.filters import box_mean, guided_filter


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.08])
def test_noise_is_measured(sigma: float) -> None:
    noise = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(1)) * sigma
    assert noise_level(0.5 + noise) == pytest.approx(sigma, rel=0.1)


def test_the_guided_filter_keeps_edges_and_smooths_flats() -> None:
    generator = torch.Generator().manual_seed(3)
    picture = torch.zeros(1, 1, 40, 40)
    picture[..., 20:] = 1.0
    noisy = picture + 0.02 * torch.randn(picture.shape, generator=generator)
    smooth = guided_filter(noisy, noisy, radius=3, epsilon=0.01)
    assert float((smooth - picture).abs().mean()) < 0.5 * float((noisy - picture).abs().mean())
    assert float(smooth[..., 20].mean() - smooth[..., 19].mean()) > 0.9


def test_window_means_at_the_rim_count_only_what_is_inside() -> None:
    torch.testing.assert_close(box_mean(torch.ones(1, 2, 9, 7), 3), torch.ones(1, 2, 9, 7))


def test_shadows_are_quieted_and_their_edges_kept() -> None:
    step = torch.full((1, 3, 64, 64), 0.05)
    step[..., 32:] = 0.12
    noisy = step + 0.01 * torch.randn(step.shape, generator=torch.Generator().manual_seed(4))
    quiet = denoise_shadows(noisy)
    assert float((quiet - step).abs().mean()) < 0.65 * float((noisy - step).abs().mean())
    assert float(quiet[..., 32].mean() - quiet[..., 31].mean()) > 0.06


def _compressed(rgb: Tensor, quality: int) -> Tensor:
    file = BytesIO()
    levels = (rgb[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    Image.fromarray(levels).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None].float() / 255.0


def test_the_grain_of_a_compressed_dark_picture_goes(astronaut: Tensor) -> None:
    """Compression makes the grain coarse: it is no longer white, and no longer seen in the finest detail."""
    dark = 0.15 * astronaut[..., :256, 96:352]
    grain = 0.02 * torch.randn(dark.shape, generator=torch.Generator().manual_seed(6))
    damaged = _compressed(dark + grain, 90)
    quiet = denoise_shadows(damaged)
    assert float((quiet - dark).square().mean()) < 0.5 * float((damaged - dark).square().mean())
    wall = (..., slice(8, 72), slice(160, 240))
    assert float(quiet[wall].diff(dim=3).std()) < 0.55 * float(damaged[wall].diff(dim=3).std())


@pytest.mark.parametrize("quality", [12, 30, 60])
def test_the_blocks_of_a_compressed_dark_picture_go(quality: int) -> None:
    """A soft shadow, compressed so much that little but flat blocks is left."""
    x, y = torch.meshgrid(torch.linspace(0, 6, 160), torch.linspace(0, 5, 160), indexing="ij")
    soft = (0.09 + 0.03 * torch.sin(x) * torch.cos(y)).expand(1, 3, -1, -1)
    blocky = _compressed(soft, quality)
    quiet = denoise_shadows(blocky)
    borders = [picture.diff(dim=3)[..., 7::8].square().mean() for picture in (blocky, quiet)]
    assert float(borders[1]) < 0.1 * float(borders[0])
    assert float((quiet - soft).square().mean()) < 0.8 * float((blocky - soft).square().mean())


def test_detail_in_the_shadows_stays() -> None:
    """Fine lines on a part of a dark wall with little grain."""
    wall = torch.full((1, 3, 96, 96), 0.10)
    wall[..., 40:90, 40:90] += 0.05 * (torch.arange(50) % 4 < 2).float()
    noisy = wall + 0.006 * torch.randn(wall.shape, generator=torch.Generator().manual_seed(7))
    quiet = denoise_shadows(noisy)
    lines = (..., slice(44, 86), slice(44, 86))
    assert float(quiet[lines].std()) > 0.9 * float(wall[lines].std())
    assert float((quiet - wall).abs().mean()) < 0.4 * float((noisy - wall).abs().mean())


def test_bright_or_clean_pictures_stay_as_they_are(astronaut: Tensor) -> None:
    noisy = (0.6 + 0.02 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(5))).clamp(0, 1)
    torch.testing.assert_close(denoise_shadows(noisy), noisy)
    clean = torch.linspace(0.0, 0.2, 64).expand(1, 3, 64, 64)
    torch.testing.assert_close(denoise_shadows(clean), clean)
