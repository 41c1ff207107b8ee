"""prior3d as the paper describes it: presets, the cost of a thousand steps, configurations."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lumiface.core.settings import find_config
from lumiface.evaluation import cost
from lumiface.evaluation.cost import count_cost
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.registry import build
from lumiface.training.lr_schedule import learning_rate
from lumiface.training.read_config import read_config


def tiny_model(**settings: Any) -> Prior3D:
    torch.manual_seed(0)
    prior = {
        "planes": {"channels": 4, "side": 16, "hidden": 8},
        "denoiser": {
            "components": 12,
            "side": 16,
            "widths": (16, 16, 16),
            "condition": 8,
            "embedding": 16,
            "steps": 30,
            "predicts": "noise",
        },
        "render": {"coarse": 4, "fine": 4},
    }
    given = {"prior": prior | settings, "enhancer": {"widths": (8, 8, 16)}, "prior_size": 16}
    return Prior3D(Prior3DConfig.model_validate(given)).eval()


def test_the_papers_preset_is_the_papers() -> None:
    with torch.device("meta"):
        network: Any = build("prior3d-paper")
        quick: Any = build("prior3d-paper-ddim")
        prior: Any = build("prior3d-prior-paper")
    settings = network.config
    assert prior.config == settings.prior
    denoiser = settings.prior.denoiser
    # 3 x 32 channels of 256 x 256 texels and the camera's 25 numbers; the rendering is 128 x 128 (§2, §3.1).
    assert network.prior.denoiser.stem.in_channels == network.prior.denoiser.out.out_channels == 96 + 25
    assert (settings.prior.planes.channels, settings.prior.planes.side, denoiser.side) == (32, 256, 256)
    assert (denoiser.predicts, denoiser.steps) == ("noise", 1000)
    assert (settings.prior.sampler, settings.prior.temperature, settings.prior.clip) == ("ddpm", 1.0, None)
    assert (settings.prior_size, network.sequential_calls) == (128, 1000)
    assert sum(value.numel() for value in network.parameters()) == pytest.approx(9.29e6, rel=0.02)
    # The few-step sampler has the same weights.
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    assert {name: value.shape for name, value in quick.state_dict().items()} == shapes
    assert quick.sequential_calls == 5


def test_the_cost_of_many_steps_is_computed_from_one_and_two(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_model(sampler="ddpm")
    assert network.prior is not None
    computed = count_cost(network, 32)
    assert (network.sequential_calls, network.prior.config.sampler) == (30, "ddpm")
    monkeypatch.setattr(cost, "MANY_CALLS", 30)
    counted = count_cost(network, 32)
    assert computed[0] == pytest.approx(counted[0], rel=1e-9)
    assert computed[1] == pytest.approx(counted[1], rel=0.05)


def test_the_configurations_are_the_papers() -> None:
    prior: Any = read_config(find_config("prior3d-prior-paper"))
    assert (prior.steps, prior.schedule, prior.recipe["weighting"]) == (1_000_000, "cosine", "none")
    assert learning_rate(0, prior) == pytest.approx(4e-5)
    assert learning_rate(prior.steps, prior) == pytest.approx(2e-6)
    enhancer: Any = read_config(find_config("prior3d-paper"))
    assert learning_rate(0, enhancer) == pytest.approx(1e-4)
    assert learning_rate(enhancer.steps, enhancer) == pytest.approx(1e-6)
    assert enhancer.steps * enhancer.batch == 200 * enhancer.faces == 200 * 5000
    assert (enhancer.crop, enhancer.prior_size, enhancer.recipe["vgg_downscale"]) == (256, 128, 1)
    # The small one differs from the paper's prior in size and length alone.
    small: Any = read_config(find_config("prior3d-prior-small-noise"))
    assert (small.recipe["weighting"], small.lr_end) == ("none", prior.lr_end)
    network: Any = build(prior.component, prior.network).config
    small_network: Any = build(small.component, small.network).config
    for name in ("components", "predicts", "steps"):
        assert getattr(small_network.denoiser, name) == getattr(network.denoiser, name)
    assert small_network.temperature == network.temperature == 1.0
