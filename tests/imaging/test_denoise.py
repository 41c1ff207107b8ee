"""Noise: how much there is, and that the dark parts are rid of it while edges and bright parts stay."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.filters import box_mean, guided_filter
from lumiface.imaging.noise_level import noise_level
from lumiface.imaging.quantize import from_uint8, quantize, to_uint8


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
    assert float((quiet - step).abs().mean()) < 0.5 * float((noisy - step).abs().mean())
    assert float(quiet[..., 32].mean() - quiet[..., 31].mean()) > 0.06


def test_bright_or_clean_pictures_stay_as_they_are(astronaut: Tensor) -> None:
    noisy = (0.6 + 0.02 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(5))).clamp(0, 1)
    torch.testing.assert_close(denoise_shadows(noisy), noisy)
    clean = torch.linspace(0.0, 0.2, 64).expand(1, 3, 64, 64)
    torch.testing.assert_close(denoise_shadows(clean), clean)


def _as_jpeg(rgb: Tensor, quality: int) -> Tensor:
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(rgb)[0].permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
    return from_uint8(np.asarray(Image.open(buffer).convert("RGB")))


@pytest.mark.parametrize(("sigma", "quality"), [(4.0, 95), (4.0, 88), (8.0, 88), (8.0, 75)])
def test_noise_that_jpeg_left_is_seen_and_falls(astronaut: Tensor, sigma: float, quality: int) -> None:
    """JPEG takes the finest part, which alone was looked at: grain stayed, and was brightened."""
    clean = 0.25 * astronaut
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = _as_jpeg((clean + sigma / 255.0 * noise).clamp(0.0, 1.0), quality)
    before, after = ((picture - clean)[..., 20:150, 20:120] for picture in (noisy, denoise_shadows(noisy)))
    assert float(after.std()) < 0.7 * float(before.std())


def test_texture_is_not_taken_for_noise() -> None:
    """Dark grass has structure at all sizes; it keeps its contrast."""
    grass = torch.from_numpy(data.grass()).float().div(255.0).expand(1, 3, -1, -1) * 0.2
    grass = quantize(grass)
    kept = float(denoise_shadows(grass).std()) / float(grass.std())
    assert kept > 0.9
