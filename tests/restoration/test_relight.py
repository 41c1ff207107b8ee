"""The tone curve and the filters that carry it over a whole photograph."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.restoration.relight import ToneCurve, fallback_curve, fit_curve, relight, transfer_light


@pytest.mark.parametrize("a", [0.2, 0.5, 1.0, 1.6])
@pytest.mark.parametrize("b", [0.5, 1.0, 4.0, 20.0])
def test_every_curve_rises_from_black_to_white(a: float, b: float) -> None:
    light = ToneCurve(a, b)(torch.linspace(0.0, 1.0, 200))
    assert float(light[0]) == 0.0
    assert float(light[-1]) == 1.0
    assert bool((light.diff() >= 0).all())


def test_the_default_curve_is_the_identity() -> None:
    light = torch.linspace(0.0, 1.0, 50)
    torch.testing.assert_close(ToneCurve()(light), light)


@pytest.mark.parametrize(
    "curve", [ToneCurve(0.5, 1.5), ToneCurve(0.3, 1.0), ToneCurve(1.0, 1.0), ToneCurve(0.7, 5.0)]
)
def test_a_known_curve_is_found_again(curve: ToneCurve) -> None:
    before = torch.rand(600, 1, generator=torch.Generator().manual_seed(0)).mul(0.6).expand(-1, 3)
    found = fit_curve(before, curve(before))
    light = torch.linspace(0.02, 0.6, 50)
    assert float((found(light) - curve(light)).abs().max()) < 0.02


def test_colours_that_became_greyer_are_met() -> None:
    before = torch.rand(600, 3, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.2
    weights = torch.tensor([0.299, 0.587, 0.114])
    after = (before @ weights)[:, None] * 0.5 + 0.5 * before
    curve = fit_curve(before, after)
    lit = curve.applied(before)
    met = torch.lerp((lit @ weights)[:, None].expand(-1, 3), lit, curve.saturation)
    assert curve.saturation < 0.8
    assert float((met - after).abs().mean()) < 0.3 * float((before - after).abs().mean())


def test_a_picture_without_faces_is_brightened_only_if_dark(astronaut: Tensor) -> None:
    assert fallback_curve(astronaut) == ToneCurve()
    curve = fallback_curve(astronaut**3)
    assert float(luma(relight(astronaut**3, curve)).mean()) == pytest.approx(0.42, abs=0.05)


def test_the_identity_changes_nothing(astronaut: Tensor) -> None:
    assert float((relight(astronaut, ToneCurve()) - astronaut).abs().max()) < 1e-5


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_pictures_stay_finite(level: float) -> None:
    flat = torch.full((1, 3, 17, 23), level)
    lit = relight(flat, ToneCurve(0.3, 2.0))
    torch.testing.assert_close(lit, flat, atol=0.02, rtol=0)


def test_grey_stays_grey_and_nothing_leaves_the_range(astronaut: Tensor) -> None:
    dark = luma(astronaut).expand(-1, 3, -1, -1) ** 3
    lit = relight(dark, ToneCurve(0.4, 1.2, 1.2))
    assert float((lit.amax(1) - lit.amin(1)).max()) < 1e-5
    lit = relight(astronaut**3, ToneCurve(0.4, 1.2, 1.3))
    assert float(lit.min()) >= 0.0
    assert float(lit.max()) <= 1.0


def test_an_edge_keeps_its_place_and_gets_no_halo() -> None:
    step = torch.full((1, 3, 96, 96), 0.05)
    step[..., 48:] = 0.4
    lit = luma(relight(step, ToneCurve(0.45, 1.1)))[0, 0, 48]
    dark_side, bright_side = lit[8:44], lit[52:88]
    assert float(dark_side.max() - dark_side.min()) < 0.06
    assert float(bright_side.max() - bright_side.min()) < 0.06
    assert float(bright_side.min()) > float(dark_side.max()) + 0.2


def test_brightening_does_not_raise_the_noise_with_the_light() -> None:
    noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)) * 0.01
    dark = (0.08 + noise).clamp(0, 1)
    curve = ToneCurve(0.45, 1.1)
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
    lit = relight(picture, ToneCurve(0.5, 1.0))
    rim, inside = lit[0, :, 32, 31], lit[0, :, 32, 8]
    assert float((rim - inside).abs().max()) < 0.15 * float((lit[0, :, 32, 50] - inside).abs().max())


def test_black_beside_light_gets_no_coloured_rim() -> None:
    picture = torch.full((1, 3, 64, 64), 0.4)
    picture[..., :32] = torch.tensor([3.0, 1.0, 1.0])[:, None, None] / 255.0
    lit = relight(picture, ToneCurve(0.3, 1.0))[0, :, 32, :31]
    assert float((lit.amax(dim=0) - lit.amin(dim=0)).max()) < 0.03
