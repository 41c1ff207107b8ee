from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.degradations.jpeg import jpeg

QUALITIES = (5, 10, 30, 50, 75, 90, 100)


def pillows(picture: np.ndarray, quality: int, *, halve_chroma: bool) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(
        file, "JPEG", quality=quality, subsampling="4:2:0" if halve_chroma else "4:4:4"
    )
    return np.asarray(Image.open(file))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(np.float64) - other.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize("halve_chroma", [True, False], ids=["420", "444"])
@pytest.mark.parametrize("size", [(96, 112), (91, 101)], ids=["whole blocks", "cut blocks"])
def test_agrees_with_the_real_codec_at_every_quality(astronaut_uint8, halve_chroma, size):
    picture = astronaut_uint8[60 : 60 + size[0], 160 : 160 + size[1]]
    batch = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].expand(len(QUALITIES), -1, -1, -1) / 255
    actual = jpeg(batch, torch.tensor(QUALITIES), halve_chroma=halve_chroma)
    actual = (actual * 255).round().permute(0, 2, 3, 1).numpy()
    expected = [pillows(picture, quality, halve_chroma=halve_chroma) for quality in QUALITIES]
    losses = []
    for quality, one, other in zip(QUALITIES, actual, expected, strict=True):
        assert psnr(one, other) > 42, quality
        losses.append((psnr(one, picture), psnr(other, picture)))
    curve, real_curve = np.array(losses).T
    assert np.abs(curve - real_curve)[:-1].max() < 0.1
    assert (np.diff(curve) > 0.5).all()


def test_each_picture_has_its_own_quality(astronaut):
    batch = astronaut[:, :, :64, 100:164].expand(2, -1, -1, -1)
    both = jpeg(batch, torch.tensor([20, 95]))
    torch.testing.assert_close(both[0], jpeg(batch[:1], torch.tensor([20]))[0], rtol=0, atol=0)
    torch.testing.assert_close(both[1], jpeg(batch[:1], torch.tensor([95]))[0], rtol=0, atol=0)
    error = (both - batch).square().mean((1, 2, 3))
    assert error[0] > 2 * error[1]


def test_result_lies_on_the_8_bit_grid_and_flat_grey_is_kept(astronaut):
    grid = jpeg(astronaut[:, :, :40, :40].double(), torch.tensor([60])) * 255
    assert (grid - grid.round()).abs().max() < 1e-9
    assert grid.min() >= 0
    assert grid.max() <= 255
    grey = torch.full((1, 3, 17, 9), 128 / 255)
    assert torch.equal(jpeg(grey, torch.tensor([1])), grey)


def test_small_float_types_are_compressed_at_full_accuracy(astronaut):
    patch = astronaut[:, :, :32, :32].bfloat16()
    small = jpeg(patch, torch.tensor([70]))
    assert small.dtype == torch.bfloat16
    assert torch.equal(small, jpeg(patch.float(), torch.tensor([70])).bfloat16())


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"quality \(B,\)"):
        jpeg(torch.zeros(2, 3, 8, 8), torch.tensor([50]))
