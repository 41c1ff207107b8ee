from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
import torch
from torch import Tensor

from lumiface import metrics
from lumiface.imaging.color import luma_limited as luma
from lumiface.imaging.quantize import to_uint8
from lumiface.metrics import crop_border, psnr_rgb, psnr_y, quantize, ssim_rgb, ssim_y

PAIRS = 50


def pairs() -> list[tuple[Tensor, Tensor]]:
    """Smooth random pictures of changing size and light, with noise and blur of changing strength on one."""
    generator = torch.Generator().manual_seed(11)
    result = []
    for index in range(PAIRS):
        size = (24 + index, 60 - index // 2)
        coarse = torch.rand(1, 3, 4 + index % 9, 5, generator=generator)
        target = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
        noise = torch.randn(1, 3, *size, generator=generator)
        output = target * (0.4 + index / 80) + noise * (0.005 + 0.2 * (index % 5) / 5)
        result.append((quantize(output), quantize(target)))
    return result


def test_every_public_name_is_there() -> None:
    for name in metrics.__all__:
        assert getattr(metrics, name).__module__.startswith(("lumiface.metrics.", "lumiface.imaging."))
    with pytest.raises(AttributeError, match="fid"):
        metrics.fid  # noqa: B018


@pytest.mark.parametrize("name", ["imaging.quantize", "metrics.psnr", "metrics.ssim", "metrics.landmarks"])
def test_the_examples_in_the_docstrings(name: str) -> None:
    module = importlib.import_module(f"lumiface.{name}")
    outcome = doctest.testmod(module, extraglobs={"torch": torch}, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_luma_is_matlabs() -> None:
    # Corners of the cube, from MATLAB's rgb2ycbcr documentation: black 16, white 235, and the weights.
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    found = luma(colours[:, :, None, None].double()).flatten()
    np.testing.assert_allclose(found, [16, 235, 81.481, 144.553, 40.966], atol=1e-6)


def test_luma_agrees_with_skimage() -> None:
    from skimage.color import rgb2ycbcr

    picture = pairs()[3][1]
    expected = rgb2ycbcr(picture[0].permute(1, 2, 0).double().numpy())[..., 0]
    np.testing.assert_allclose(luma(picture.double())[0, 0], expected, atol=1e-3)


def test_quantise_gives_the_bytes_of_a_file() -> None:
    pictures = torch.linspace(-0.2, 1.2, 3 * 999).view(1, 3, 27, 37)
    assert torch.equal((quantize(pictures) * 255).round().byte(), to_uint8(pictures))
    assert torch.equal(quantize(quantize(pictures)), quantize(pictures))
    assert quantize(torch.tensor([torch.nan])).isnan().all()


def test_psnr_agrees_with_skimage_and_torchmetrics() -> None:
    from skimage.metrics import peak_signal_noise_ratio
    from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

    for output, target in pairs():
        for metric, x, y, peak in (
            (psnr_y, luma(output.double()), luma(target.double()), 255.0),
            (psnr_rgb, output.double(), target.double(), 1.0),
        ):
            found = metric(output, target).item()
            skimage = peak_signal_noise_ratio(y.numpy(), x.numpy(), data_range=peak)
            assert found == pytest.approx(float(skimage), abs=1e-6)
            assert found == pytest.approx(torchmetrics_psnr(x, y, data_range=peak).item(), abs=1e-4)


def test_psnr_of_known_differences() -> None:
    target = torch.zeros(3, 3, 8, 8)
    output = target.clone()
    output[0] += 1 / 255  # one level everywhere: 48.13 dB
    output[1, :, :4] += 0.5  # half of the picture by half of the range: 9.03 dB
    expected = [20 * np.log10(255), 10 * np.log10(8), np.inf]
    np.testing.assert_allclose(psnr_rgb(output, target), expected, rtol=1e-6)
    # A grey step moves Y by 219 levels a unit.
    expected = [20 * np.log10(255 / (219 / 255)), 10 * np.log10(2 * (255 / 109.5) ** 2), np.inf]
    np.testing.assert_allclose(psnr_y(output, target), expected, rtol=1e-6)


def test_ssim_agrees_with_skimage_and_torchmetrics() -> None:
    from skimage.metrics import structural_similarity
    from torchmetrics.functional.image import structural_similarity_index_measure

    for output, target in pairs():
        for metric, x, y, peak in (
            (ssim_y, luma(output.double()), luma(target.double()), 255.0),
            (ssim_rgb, output.double(), target.double(), 1.0),
        ):
            found = metric(output, target).item()
            skimage = structural_similarity(
                x[0].numpy(),
                y[0].numpy(),
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=peak,
            )
            # torchmetrics averages the rim too, where its window sees reflected pixels: we take the inside.
            _, places = structural_similarity_index_measure(
                x, y, sigma=1.5, data_range=peak, return_full_image=True
            )
            assert found == pytest.approx(float(skimage), abs=1e-4)
            assert found == pytest.approx(float(places[..., 5:-5, 5:-5].mean()), abs=1e-4)


def test_ssim_of_equal_and_of_flat_pictures() -> None:
    output, target = pairs()[0]
    assert ssim_y(target, target).item() == pytest.approx(1.0, abs=1e-12)
    assert ssim_y(output, target).item() < 0.99
    # Without structure only the luminance term is left: 2ab + C1 over a² + b² + C1.
    a, b, c1 = 16 + 219 * 0.25, 16 + 219 * 0.5, 2.55**2
    flat = torch.ones(1, 3, 16, 16)
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim_y(flat * 0.25, flat * 0.5).item() == pytest.approx(expected, rel=1e-9)
    a, b, c1 = 0.25, 0.5, 0.01**2
    one_channel = (2 * a * b + c1) / (a * a + b * b + c1)
    flat[:, 1:] = 0  # two channels are equal
    expected = (one_channel + 2) / 3
    assert ssim_rgb(flat * 0.25, flat * 0.5).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("metric", [psnr_y, psnr_rgb, ssim_y, ssim_rgb])
def test_each_picture_of_a_batch_is_measured_alone_and_without_its_border(metric) -> None:
    output, target = pairs()[20]
    spoilt = output.clone()
    spoilt[..., :4, :] = 0
    batch = metric(torch.cat([output, spoilt]), torch.cat([target, target]), border=4)
    alone = metric(output[..., 4:-4, 4:-4], target[..., 4:-4, 4:-4])
    torch.testing.assert_close(batch, alone.expand(2))
    assert batch.dtype == torch.float64
    assert metric(spoilt, target) < metric(output, target)


@pytest.mark.parametrize("metric", [psnr_y, psnr_rgb, ssim_y, ssim_rgb])
def test_invalid_input(metric) -> None:
    picture = torch.zeros(1, 3, 12, 12)
    with pytest.raises(ValueError, match="same size"):
        metric(picture, torch.zeros(1, 3, 12, 13))
    with pytest.raises(ValueError, match="border"):
        metric(picture, picture, border=6)
    assert not torch.isfinite(metric(picture * torch.nan, picture)).any()


def test_ssim_refuses_less_than_a_window() -> None:
    with pytest.raises(ValueError, match="11x11"):
        ssim_y(torch.zeros(1, 3, 12, 12), torch.zeros(1, 3, 12, 12), border=1)


def test_crop_border_of_zero_changes_nothing() -> None:
    picture = torch.rand(1, 3, 5, 6)
    assert torch.equal(crop_border(picture, 0), picture)
