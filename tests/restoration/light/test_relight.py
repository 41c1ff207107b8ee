"""Relighting: hue and detail kept, black stays black, no halo, no noise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers import psnr
from lumiface.imaging.color import luma
from lumiface.restoration.light import relight as relight_module
from lumiface.restoration.light.relight import relight
from lumiface.restoration.light.tone_curve import ToneCurve
from lumiface.restoration.light.transfer import transfer_light


def test_the_identity_changes_nothing(astronaut: Tensor) -> None:
    assert float((relight(astronaut, ToneCurve()) - astronaut).abs().max()) < 1e-5


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_pictures_stay_finite(level: float) -> None:
    flat = torch.full((1, 3, 17, 23), level)
    lit = relight(flat, ToneCurve(12.0, 0.2))
    torch.testing.assert_close(lit, flat, atol=0.02, rtol=0)


def test_grey_stays_grey_and_nothing_leaves_the_range(astronaut: Tensor) -> None:
    dark = luma(astronaut).expand(-1, 3, -1, -1) ** 3
    lit = relight(dark, ToneCurve(10.0, 0.4, 0.9))
    assert float((lit.amax(1) - lit.amin(1)).max()) < 1e-5
    lit = relight(astronaut**3, ToneCurve(10.0, 0.4))
    assert float(lit.min()) >= 0.0
    assert float(lit.max()) <= 1.0


def test_an_edge_keeps_its_place_and_gets_no_halo() -> None:
    step = torch.full((1, 3, 96, 96), 0.05)
    step[..., 48:] = 0.4
    lit = luma(relight(step, ToneCurve(8.0, 0.45)))[0, 0, 48]
    dark_side, bright_side = lit[8:44], lit[52:88]
    assert float(dark_side.max() - dark_side.min()) < 0.06
    assert float(bright_side.max() - bright_side.min()) < 0.06
    assert float(bright_side.min()) > float(dark_side.max()) + 0.2


def test_brightening_does_not_raise_the_noise_with_the_light() -> None:
    noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)) * 0.01
    dark = (0.08 + noise).clamp(0, 1)
    curve = ToneCurve(8.0, 0.45)
    lit = relight(dark, curve)
    gain = float(luma(lit).mean() / luma(dark).mean())
    assert gain > 3.0
    assert float(lit.std()) < 0.5 * gain * float(dark.std())


def test_a_linear_change_of_light_is_carried_over_to_the_large_face(astronaut: Tensor) -> None:
    native = astronaut[..., :256, 100:356] * 0.3 + 0.02
    small = torch.nn.functional.interpolate(native, size=(64, 64), mode="area")
    lit = transfer_light(native, small, 2.0 * small)
    assert float((lit - 2.0 * native).abs().mean()) < 0.01


def test_two_colours_of_one_brightness_do_not_run_into_each_other() -> None:
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., :32] = torch.tensor([0.20, 0.06, 0.02])[:, None, None]
    blue = torch.tensor([0.04, 0.08, 0.38])
    blue *= float(luma(picture)[0, 0, 0, 0]) / float(blue @ torch.tensor([0.299, 0.587, 0.114]))
    picture[..., 32:] = blue[:, None, None]
    lit = relight(picture, ToneCurve(6.0, 0.5))
    rim, inside = lit[0, :, 32, 31], lit[0, :, 32, 8]
    assert float((rim - inside).abs().max()) < 0.15 * float((lit[0, :, 32, 50] - inside).abs().max())


def test_black_beside_light_gets_no_coloured_rim() -> None:
    picture = torch.full((1, 3, 64, 64), 0.4)
    picture[..., :32] = torch.tensor([3.0, 1.0, 1.0])[:, None, None] / 255.0
    lit = relight(picture, ToneCurve(12.0, 0.3))[0, :, 32, :31]
    assert float((lit.amax(dim=0) - lit.amin(dim=0)).max()) < 0.03


@pytest.mark.parametrize("level", [2, 3, 4, 5])
def test_black_stays_black(level: int) -> None:
    """Black cloth beside a face that needs all the light there is."""
    picture = torch.full((1, 3, 64, 64), level / 255.0)
    picture[..., 24:40, 24:40] = 14.0 / 255.0
    lit = relight(picture, ToneCurve(12.0, 0.3))
    assert float(lit[..., :16, :].max()) < 12.0 / 255.0
    assert float(lit[..., 32, 32].min()) > 100.0 / 255.0


def _hue(rgb: Tensor) -> Tensor:
    """(1, 3, H, W) -> degrees, (H, W)."""
    r, g, b = rgb[0]
    return torch.rad2deg(torch.atan2(3**0.5 * (g - b), 2 * r - g - b))


@pytest.mark.parametrize("colour", [(0.90, 0.68, 0.55), (0.45, 0.28, 0.20), (0.80, 0.10, 0.05)])
@pytest.mark.parametrize("darker", [4.0, 10.0])
def test_skin_keeps_its_hue(colour: tuple[float, float, float], darker: float) -> None:
    """White, brown, and red under a lamp: nowhere clipped, whether relit with the picture or as a face."""
    shade = torch.linspace(0.5, 1.0, 64)[None, None, None, :].expand(1, 1, 64, 64)
    face = torch.tensor(colour).view(1, 3, 1, 1) * shade
    dark = face / darker
    pale = face.lerp(luma(face), 0.3) * torch.tensor([1.0, 1.03, 0.97]).view(1, 3, 1, 1)  # a network's colour
    before = _hue(dark)
    for lit in (relight(dark, ToneCurve(12.0, 0.35)), transfer_light(dark, dark, pale)):
        turned = (_hue(lit) - before)[:, 4:-4].abs()
        assert float(turned.max()) < 3.0
        assert float(lit.max()) < 1.0
        assert float(luma(lit).mean()) > 2.0 * float(luma(dark).mean())


def test_what_is_saturated_stays_as_it_is() -> None:
    """A red lamp's face beside a dark one: no pink haze, no flat area."""
    red = torch.zeros(1, 3, 64, 64)
    red[:, 0] = torch.linspace(0.6, 0.95, 64)[None, None, :]
    lit = relight(red, ToneCurve(3.0, 0.6))
    assert float(lit[:, 1:].max()) < 0.01
    assert float(lit[0, 0, 32].diff().min()) > 0.25 * float(red[0, 0, 32].diff().min())


def test_a_face_under_a_red_lamp_does_not_turn_pink(astronaut: Tensor) -> None:
    face = 0.35 * astronaut[..., 60:188, 160:288] * torch.tensor([1.0, 0.12, 0.10]).view(1, 3, 1, 1)
    small = torch.nn.functional.interpolate(face, size=(64, 64), mode="area")
    white = 0.5 * luma(small) / luma(small).mean() * torch.tensor([1.2, 0.95, 0.75]).view(1, 3, 1, 1)
    lit = transfer_light(face, small, white.clamp(0, 1))
    bright = lit[0, 0] > 0.3
    assert float((lit[0, 1] / lit[0, 0])[bright].mean()) < 0.25
    assert float((lit[0, 0] > 0.99).float().mean()) < 0.01


@pytest.mark.parametrize("side", [300, 900])
def test_tiles_are_the_whole_also_in_the_place_of_the_denoised(
    side: int, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small picture and of one whose brightness is found on cells of two pixels."""
    picture = (
        torch.nn.functional.interpolate(astronaut[..., :300], size=(side, side + 7), mode="bilinear") ** 2.5
    )
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    noisy, curve = (picture + 0.02 * noise).clamp(0, 1), ToneCurve(8.0, 0.45)
    monkeypatch.setattr(relight_module, "_ROWS", 5000)
    monkeypatch.setattr(relight_module, "_COLUMNS", 5000)
    expected = relight(noisy, curve, picture)
    assert float((expected - noisy).abs().max()) > 0.2
    monkeypatch.setattr(relight_module, "_ROWS", 64)
    monkeypatch.setattr(relight_module, "_COLUMNS", 100)
    torch.testing.assert_close(relight(noisy, curve, picture), expected, atol=2e-5, rtol=0)
    lit = relight(noisy, curve, picture, in_place=True)
    assert lit is picture
    torch.testing.assert_close(lit, expected, atol=2e-5, rtol=0)
    assert relight(noisy, curve, noisy, in_place=True) is not noisy


def test_brightness_found_on_cells_is_that_of_every_pixel(
    astronaut: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = torch.nn.functional.interpolate(astronaut, size=(900, 900), mode="bicubic").clamp(0, 1) ** 2
    on_cells = relight(picture, ToneCurve(6.0, 0.5))
    monkeypatch.setattr(relight_module, "_CELLS", 1000)  # windows that are never so many cells
    assert psnr(on_cells, relight(picture, ToneCurve(6.0, 0.5))) > 55.0
