"""The 3D prior carried from frame to frame: nothing without a past, steadier with one, forgotten at a cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from lumiface.imaging.quantize import quantize
from lumiface.registry import load_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.video.carried_priors import CarriedPriors, carried_priors


@pytest.fixture(scope="module")
def network() -> Any:
    return load_model("prior3d-small")


def noisy_clip(astronaut: Tensor, count: int) -> Tensor:
    face = torch.nn.functional.interpolate(astronaut[..., 30:190, 140:300], size=(64, 64), mode="area")
    draws = torch.Generator().manual_seed(0)
    noise = 0.02 * torch.randn(count, 3, 64, 64, generator=draws)
    return quantize((0.25 * face + noise).clamp(0.0, 1.0))


@torch.inference_mode()
def test_the_first_frame_and_frames_without_a_past_are_the_network_itself(astronaut, network) -> None:
    (frame,) = noisy_clip(astronaut, 1).split(1)
    alone = network(frame)
    torch.testing.assert_close(network.enhance_frame(frame, None, 0.9)[0], alone, atol=1e-5, rtol=0)
    _, before = network.enhance_frame(1.0 - frame, None, 0.9)
    torch.testing.assert_close(network.enhance_frame(frame, before, 0.0)[0], alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_planes_of_a_still_face_settle(astronaut: Tensor, network: Any) -> None:
    """The mean over frames changes less from one to the next than the priors of single frames do."""

    def changes(carried: float) -> float:
        before, planes = None, []
        for frame in noisy_clip(astronaut, 6).split(1):
            _, before = network.enhance_frame(frame, before, carried)
            planes.append(before.planes)
        return float(torch.stack([(b - a).square().mean() for a, b in pairwise(planes[2:])]).mean())

    assert changes(0.8) < 0.2 * changes(0.0)


@torch.inference_mode()
def test_each_track_has_its_own_prior_and_a_lost_one_is_forgotten(astronaut: Tensor, network: Any) -> None:
    one, other = noisy_clip(astronaut, 2).split(1)
    priors = CarriedPriors(network, 25.0)
    priors([7, 9], {0: one, 1: other})
    apart = priors([9], {0: other})
    fresh = CarriedPriors(network, 25.0)
    fresh([9], {0: other})
    assert torch.equal(apart[0], fresh([9], {0: other})[0])
    priors.restart()
    assert torch.equal(priors([7], {0: one})[0], CarriedPriors(network, 25.0)([7], {0: one})[0])


def test_only_networks_with_a_prior_carry_one() -> None:
    guided = Restorer(config=RestoreConfig(task="enhance", scale=1)).face_restorer
    assert carried_priors(guided, 25.0) is not None
    assert carried_priors(Restorer(config=RestoreConfig(scale=1)).face_restorer, 25.0) is None
