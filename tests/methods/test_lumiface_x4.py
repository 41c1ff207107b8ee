"""lumiface-x4: invariance of the standardised log image to illumination."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.methods.lumiface_x4.model import EPSILON, LogStandardize, LumifaceX4, LumifaceX4Config


def network(**settings: object) -> LumifaceX4:
    torch.manual_seed(0)
    return LumifaceX4(LumifaceX4Config.model_validate(settings)).eval()


def test_a_power_and_a_factor_change_only_mean_and_deviation(astronaut: Tensor) -> None:
    face = (
        0.3 + 0.7 * astronaut[..., 20:84, 150:214].double()
    )  # without black pixels, which carry no information
    shifted = 0.7 * (face + EPSILON) ** 2.5 - EPSILON
    normalized, stats = LogStandardize()(face)
    dark_normalized, dark_stats = LogStandardize()(shifted)
    torch.testing.assert_close(normalized, dark_normalized, atol=5e-3, rtol=0)
    assert float(normalized.mean().abs()) < 1e-6
    assert float(normalized.std()) > 0.99
    assert float(dark_stats[:, 0]) < float(stats[:, 0]) - 1.0
    assert float(dark_stats[:, 1]) > 2.0 * float(stats[:, 1])


def test_the_untrained_output_is_bright(astronaut: Tensor) -> None:
    """Before training the dark image gets the typical illumination, the initial prediction."""
    dark = 0.7 * astronaut[..., 20:84, 150:214] ** 3
    with torch.inference_mode():
        bright = network()(dark)
    assert bright.shape[-2:] == (256, 256)
    assert 0.35 < float(bright.mean()) < 0.65
    assert float(dark.mean()) < 0.2


def test_constant_images_give_finite_outputs() -> None:
    with torch.inference_mode():
        for level in (0.0, 0.5, 1.0):
            assert network()(torch.full((1, 3, 9, 13), level)).isfinite().all()
