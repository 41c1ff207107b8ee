"""Our own network: what light does to a picture does not reach its layers."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.methods.lumiface_x4.model import DARKEST, LogStandardize, LumifaceX4, LumifaceX4Config


def network(**settings: object) -> LumifaceX4:
    torch.manual_seed(0)
    return LumifaceX4(LumifaceX4Config.model_validate(settings)).eval()


def test_a_power_and_a_factor_change_the_two_numbers_alone(astronaut: Tensor) -> None:
    face = 0.3 + 0.7 * astronaut[..., 20:84, 150:214].double()  # without blacks, of which nothing is left
    shifted = 0.7 * (face + DARKEST) ** 2.5 - DARKEST
    freed, told = LogStandardize()(face)
    again, dark = LogStandardize()(shifted)
    torch.testing.assert_close(freed, again, atol=5e-3, rtol=0)
    assert float(freed.mean().abs()) < 1e-6
    assert float(freed.std()) > 0.99
    assert float(dark[:, 0]) < float(told[:, 0]) - 1.0
    assert float(dark[:, 1]) > 2.0 * float(told[:, 1])


def test_it_begins_with_a_bright_picture(astronaut: Tensor) -> None:
    """Before any training the dark picture comes out in usual light: what is learnt begins there."""
    dark = 0.7 * astronaut[..., 20:84, 150:214] ** 3
    with torch.inference_mode():
        bright = network()(dark)
    assert bright.shape[-2:] == (256, 256)
    assert 0.35 < float(bright.mean()) < 0.65
    assert float(dark.mean()) < 0.2


def test_grey_stays_sound_where_there_is_no_spread() -> None:
    with torch.inference_mode():
        for level in (0.0, 0.5, 1.0):
            assert network()(torch.full((1, 3, 9, 13), level)).isfinite().all()
