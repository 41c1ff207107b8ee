"""Strips and tiles: what is made piece by piece is what is made of the whole."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface.imaging import denoise, noise_level, strips
from lumiface.imaging.coarse import CoarsePlanes
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.filters import box_mean, window_sums
from lumiface.imaging.noise_level import NoiseByLight, local_light
from lumiface.imaging.strips import Overwritten, Tile, bands, in_strips, tiles, whole
from lumiface.imaging.threads import in_threads


def dark(height: int, width: int) -> Tensor:
    """Dark and noisy, but for a bright part."""
    generator = torch.Generator().manual_seed(0)
    light = torch.linspace(0.02, 0.25, width).expand(1, 3, height, width).clone()
    light[..., : height // 3, : width // 3] = 0.7
    return (light + 0.02 * torch.randn(light.shape, generator=generator)).clamp(0.0, 1.0)


@pytest.mark.parametrize("halo", [0, 3])
def test_tiles_cover_a_picture_once_and_see_what_is_around_them(halo: int) -> None:
    picture, count = rand(1, 3, 23, 31), torch.zeros(23, 31)
    for tile in tiles(23, 31, (7, 10), halo):
        tile.place(count).add_(1.0)
        assert torch.equal(tile.inner(tile.read(picture)), tile.place(picture))
        assert torch.equal(
            tile.shrink(1).read(picture)[..., -1, :],
            picture[..., min(22, tile.bottom), tile.shrink(1).origin[1] : tile.shrink(1).end[1]],
        )
        (top, left), (bottom, right) = tile.origin, tile.end
        assert torch.equal(tile.read(picture), picture[..., top:bottom, left:right])
    assert torch.equal(count, torch.ones(23, 31))
    assert whole(23, 31).read(picture).shape == picture.shape


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiles_are_the_same_by_any_number_of_threads(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoise, "TILE", (16, 40))
    picture, threads = dark(70, 90), torch.get_num_threads()
    torch.set_num_threads(1)
    expected = denoise_shadows(picture)
    try:
        torch.set_num_threads(count)
        with torch.inference_mode():  # a mode of the thread that calls, not of those that work
            assert torch.equal(denoise_shadows(picture.clone()), expected)
        assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


def test_what_is_wrong_in_a_tile_is_raised_and_the_threads_stay() -> None:
    def fail(tile: Tile) -> None:
        if tile.left:
            raise ValueError(f"column {tile.left}")

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ValueError, match="column 10"):
            in_threads(fail, tiles(20, 30, (20, 10)), torch.device("cpu"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_a_filter_sees_what_was_there_before_the_rows_were_replaced() -> None:
    picture = rand(1, 1, 40, 9)
    expected = box_mean(picture, 4)
    target = picture.clone()
    before = Overwritten(target, 4)
    for band in bands(40, 9, 6, 4):
        rows = before.read(band.origin[0], band.end[0])
        before.advance(band.bottom)
        band.place(target).copy_(band.inner(box_mean(rows, 4)))
    torch.testing.assert_close(target, expected, atol=1e-6, rtol=0)


def test_a_function_of_pixels_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "STRIP_PIXELS", 50)
    first, second = rand(1, 3, 20, 30, seed=1), rand(1, 3, 20, 30, seed=2)
    expected = first.lerp(second, 0.3)
    assert torch.equal(in_strips(lambda a, b: a.lerp(b, 0.3), first, second), expected)
    assert in_strips(lambda a, b: a.lerp(b, 0.3), first, second, out=second) is second
    assert torch.equal(second, expected)


@pytest.mark.parametrize("side", [1, 2, 3, 7, 12])
def test_sums_of_neighbours(side: int) -> None:
    rows = rand(2, 50)
    expected = rows.unfold(-1, side, 1).sum(-1)
    torch.testing.assert_close(window_sums(rows, side, 1), expected)
    assert window_sums(rows, side, 3).shape == (2, 50 - 3 * (side - 1))


@pytest.mark.parametrize("radius", [0, 1, 5, 40])
def test_window_means(radius: int) -> None:
    picture, side = rand(2, 3, 17, 29), 2 * radius + 1
    if radius <= 8:  # what it takes
        expected = F.avg_pool2d(picture, side, 1, radius, count_include_pad=False)
    else:
        expected = picture.mean(dim=(2, 3), keepdim=True).expand_as(picture)
    torch.testing.assert_close(box_mean(picture, radius), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", [(1.0, 1.0), (4.0, 4.0), (7.5, 10.0)])
def test_coarse_planes_are_read_like_interpolated_ones(cell: tuple[float, float]) -> None:
    size = (30, 40)
    values = rand(1, 2, round(size[0] / cell[0]), round(size[1] / cell[1]))
    expected = F.interpolate(values, scale_factor=cell, mode="bilinear", align_corners=False)[..., :30, :40]
    for tile in tiles(*expected.shape[-2:], (9, 13), 2):
        torch.testing.assert_close(
            CoarsePlanes(values, cell).at(tile), tile.read(expected), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("large", [False, True])
def test_denoised_tiles_are_the_denoised_picture(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:  # with a smaller search window
        monkeypatch.setattr(denoise, "LARGE", 0)
    picture = dark(90, 131)
    monkeypatch.setattr(denoise, "TILE", (1000, 1000))
    expected = denoise_shadows(picture)
    assert float((expected - picture).abs().max()) > 0.02
    monkeypatch.setattr(denoise, "TILE", (19, 40))
    torch.testing.assert_close(denoise_shadows(picture), expected, atol=1e-6, rtol=0)
    assert torch.equal(expected[..., :24, :35], picture[..., :24, :35])  # bright


def test_the_filter_is_the_one_that_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixel by pixel, without shifts of whole pictures."""
    monkeypatch.setattr(denoise, "TILE", (7, 9))
    picture = dark(12, 14)
    noise, light = NoiseByLight(picture, denoise.SHADOWS[1]), local_light(picture)
    sigma = noise(light)
    padded = F.pad(picture, (3, 3, 3, 3), mode="replicate")
    expected = torch.zeros_like(picture)
    total = torch.zeros_like(light)
    for y in range(7):
        for x in range(7):
            other = padded[..., y : y + 12, x : x + 14]
            distance = box_mean((picture - other).square().mean(dim=1, keepdim=True), 1)
            weight = (-(distance - 2.0 * sigma**2).clamp(min=0.0) / sigma**2).exp()
            expected += weight * other
            total += weight
    amount = ((0.30 - light) / 0.15).clamp(0.0, 1.0)
    torch.testing.assert_close(denoise_shadows(picture), picture.lerp(expected / total, amount))


def test_the_noise_of_a_large_picture_is_estimated_from_some_of_its_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = dark(400, 401)
    whole_picture = NoiseByLight(picture, 0.3).levels
    monkeypatch.setattr(noise_level, "_SAMPLES", 400 * 401 // 9)
    torch.testing.assert_close(NoiseByLight(picture, 0.3).levels, whole_picture, rtol=0.2, atol=0)
    light = luma(picture)[..., 200:, :]
    assert noise_level.noise_level(light) == pytest.approx(
        0.02 * (0.299**2 + 0.587**2 + 0.114**2) ** 0.5, rel=0.1
    )
