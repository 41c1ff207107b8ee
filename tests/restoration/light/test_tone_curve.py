"""The tone curve: rises from black to white, keeps shadows' contrast, leaves what is lit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.restoration.light.relight import relight
from lumiface.restoration.light.tone_curve import ToneCurve, fallback_curve, fit_curve


@pytest.mark.parametrize("gain", [1.0, 1.5, 4.0, 12.0])
@pytest.mark.parametrize("power", [0.2, 0.5, 1.0])
def test_every_curve_rises_from_black_to_white(gain: float, power: float) -> None:
    light = ToneCurve(gain, power)(torch.linspace(0.0, 1.0, 200))
    assert float(light[0]) == 0.0
    assert float(light[-1]) == pytest.approx(1.0)
    assert bool((light.diff() > -1e-6).all())


def test_the_default_curve_is_the_identity() -> None:
    light = torch.linspace(0.0, 1.0, 50)
    torch.testing.assert_close(ToneCurve()(light), light)


@pytest.mark.parametrize(
    "curve", [ToneCurve(5.0, 0.5), ToneCurve(12.0, 0.4), ToneCurve(), ToneCurve(2.0, 0.7)]
)
def test_a_known_curve_is_found_again(curve: ToneCurve) -> None:
    before = torch.rand(600, 1, generator=torch.Generator().manual_seed(0)).mul(0.6).expand(-1, 3)
    found = fit_curve(before, curve(before))
    light = torch.linspace(0.02, 0.6, 50)
    assert float((found(light) - curve(light)).abs().max()) < 0.003


def test_colours_that_became_greyer_are_met() -> None:
    before = torch.rand(600, 3, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.2
    weights = torch.tensor([0.299, 0.587, 0.114])
    after = (before @ weights)[:, None] * 0.2 + 0.8 * before
    curve = fit_curve(0.5 * before, after)
    assert curve.saturation == pytest.approx(0.8, abs=0.06)
    assert fit_curve(0.5 * before, (before - 0.2) * 1.5 + 0.2).saturation == 1.0  # and never any more


def test_a_picture_without_faces_is_brightened_only_if_dark(astronaut: Tensor) -> None:
    assert fallback_curve(astronaut) == ToneCurve()
    curve = fallback_curve(astronaut**3)
    assert float(luma(relight(astronaut**3, curve)).mean()) == pytest.approx(0.42, abs=0.05)


@pytest.mark.parametrize("gain", [1.5, 2.5])
def test_shadows_keep_their_contrast_and_bright_tones_their_light(gain: float) -> None:
    face = torch.linspace(0.3, 0.7, 100)[:, None].expand(-1, 3)
    curve = fit_curve(face / gain, face)
    shade = torch.tensor([0.13, 0.26]) / gain
    low, high = curve(shade).tolist()
    assert high / low == pytest.approx(2.0, abs=0.15)
    assert float((curve(face[:, 0] / gain) - face[:, 0]).abs().mean()) < 0.05
    assert float(curve(torch.tensor(0.8))) < 0.95


def test_a_face_that_did_not_change_gives_the_identity() -> None:
    face = torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
    assert fit_curve(face, face) == ToneCurve()
