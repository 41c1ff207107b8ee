"""Effective resolution: what is detail, what is grain, and where a face is merely smooth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.degradations.jpeg import jpeg
from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.effective_resolution import CROP_SIZE, effective_resolution
from lumiface.faces.find import find_faces


@pytest.fixture(scope="module")
def face(astronaut_uint8: np.ndarray) -> Tensor:
    """A sharp face of about 200 pixels in the photograph, aligned, at 256."""
    rgb = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].float() / 255.0
    (found,) = find_faces(rgb, FaceDetector().eval(), which="largest")
    return crop_face(rgb, face_matrix(found), CROP_SIZE)


def damped(face: Tensor, low: float, high: float, factor: float) -> Tensor:
    """The face with the waves of `low` to `high` cycles per side weakened."""
    cycles = (
        (torch.fft.fftfreq(CROP_SIZE)[:, None] * CROP_SIZE).square()
        + (torch.fft.rfftfreq(CROP_SIZE) * CROP_SIZE).square()
    ).sqrt()
    gain = torch.where((cycles >= low) & (cycles < high), factor, 1.0)
    return torch.fft.irfft2(torch.fft.rfft2(face) * gain, s=(CROP_SIZE, CROP_SIZE)).clamp(0.0, 1.0)


def reduced(face: Tensor, side: int) -> Tensor:
    small = F.interpolate(face, (side, side), mode="bicubic", antialias=True).clamp(0.0, 1.0)
    return F.interpolate(small, (CROP_SIZE, CROP_SIZE), mode="bicubic").clamp(0.0, 1.0)


def noise(seed: int = 0, side: int = CROP_SIZE) -> Tensor:
    return torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(seed)) / 255.0


@pytest.mark.parametrize("band", [(8, 16), (11, 23), (16, 32), (32, 64)])
def test_a_weak_band_below_strong_ones_is_no_cutoff(face: Tensor, band: tuple[int, int]) -> None:
    assert effective_resolution(face) > 180
    assert effective_resolution(damped(face, *band, 0.4)) > 180


def test_a_sharp_face_stays_sharp_with_noise_in_the_dark_and_compressed(face: Tensor) -> None:
    assert effective_resolution((face + 8 * noise()).clamp(0, 1)) > 170
    assert effective_resolution((0.7 * (0.95 * face) ** 2 * 255).round() / 255) > 170
    assert effective_resolution(jpeg(face, torch.tensor([60]))) > 170


@pytest.mark.parametrize("side", [24, 48, 96])
@pytest.mark.parametrize("grain", [1, 2, 4])
def test_grain_of_any_size_is_no_detail(face: Tensor, side: int, grain: int) -> None:
    coarse = F.interpolate(8 * noise(1, CROP_SIZE // grain), (CROP_SIZE, CROP_SIZE), mode="bicubic")
    assert effective_resolution((reduced(face, side) + coarse).clamp(0, 1)) == pytest.approx(side, rel=0.35)


def test_without_any_detail(face: Tensor) -> None:
    flat = torch.full_like(face, 0.5)
    assert effective_resolution(flat) < 16
    assert effective_resolution(flat + 8 * noise()) < 128
