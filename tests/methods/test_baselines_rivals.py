"""The baselines of prior3d's and fusion_bfr's tables: they learn, repeat themselves, equal their sources."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import rand
from lumiface.methods.baselines.blind.pulse import mean_squared_angle
from lumiface.methods.baselines.light.hvi_cidnet import HVITransform
from lumiface.methods.baselines.light.zero_ig import split_pair
from lumiface.registry import build, build_recipe, find_capabilities

NO_BOXES = torch.empty(0, 4)
WRAPPED = {
    "hvi-cidnet": {"channels": 8},
    "retinexformer": {"channels": 4},
    "nafnet": {"channels": 8},
    "gfpgan": {"narrow": 0.03125, "latent": 32},
    "restoreformer": {"entries": 32},
    "esrgan": {"channels": 16, "blocks": 1},
    "realesrgan": {"channels": 16, "layers": 2},
}
OWN = {
    "enlightengan": {},
    "zero-ig": {},
    "image-diffusion": {"channels": 8},
    "difface": {"channels": 8, "blocks": 1},
}
RIVALS: dict[str, dict[str, Any]] = WRAPPED | OWN


def make(name: str) -> Any:
    if name in WRAPPED:
        pytest.importorskip("spandrel")
    torch.manual_seed(0)
    return build(name, RIVALS[name])


def stripes(count: int) -> Tensor:
    """Smooth pictures (count, 3, 64, 64) in [0.3, 0.9], each with waves of its own."""
    grid = torch.linspace(0.0, 6.0, 64)
    waves = [(grid * (i + 1))[:, None].sin() * (grid + i)[None].cos() for i in range(count * 3)]
    return 0.6 + 0.3 * torch.stack(waves).view(count, 3, 64, 64)


@pytest.mark.parametrize("name", RIVALS)
def test_a_few_steps_on_one_batch_reduce_the_loss(name: str) -> None:
    network, recipe = make(name), build_recipe(name, {}, 0)
    task = find_capabilities(name).tasks[0]
    scale = network.config.scale if network.config.scale > 1 else 4
    low, target = recipe.degrade(stripes(2), task, scale, torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    values: list[float] = []
    for _ in range(15):
        loss = torch.stack(list(recipe(network(low), low, target, NO_BOXES).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.95 * values[0]


@pytest.mark.parametrize("name", RIVALS)
def test_inference_repeats_itself_and_a_run_can_lay_out_the_weights(name: str) -> None:
    network = make(name).eval()
    low = rand(1, 3, 21, 34) * 0.3
    with torch.inference_mode():
        first = network(low)
        torch.manual_seed(7)  # the global generator has no say
        assert torch.equal(network(low), first)
        network.to(memory_format=torch.channels_last)  # as the training loop does
        torch.testing.assert_close(network(low), first, atol=1e-4, rtol=1e-3)


def test_the_colour_space_of_hvi_equals_spandrels_and_has_gradients_everywhere() -> None:
    hvi: Any = pytest.importorskip("spandrel.architectures.HVICIDNet")
    theirs, ours = hvi.HVICIDNet().trans, HVITransform()
    picture = rand(2, 3, 9, 7).clamp(0.05, 0.95)
    with torch.no_grad():
        torch.testing.assert_close(ours.HVIT(picture), theirs.HVIT(picture), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(ours.PHVIT(ours.HVIT(picture)), picture, atol=1e-4, rtol=1e-3)
    for value in (0.0, 0.5, 1.0):  # grey, where the original's square root has none
        flat = torch.full((1, 3, 4, 4), value, requires_grad=True)
        ours.PHVIT(torch.cat([flat[:, :2] * 0.0, flat[:, 2:]], dim=1)).sum().backward()
        assert flat.grad is not None
        assert flat.grad.isfinite().all()


def test_zero_igs_halves_have_the_mean_of_the_whole() -> None:
    picture = rand(1, 3, 8, 6)
    first, second = split_pair(picture)
    torch.testing.assert_close(0.5 * (first + second), torch.nn.functional.avg_pool2d(picture, 2))
    assert not torch.allclose(first, second)


def test_enlightengans_patches_are_of_the_pictures() -> None:
    recipe = build_recipe("enlightengan", {"patch": 8, "patches": 3}, 0)
    pictures = rand(2, 3, 16, 12)
    patches = recipe._patches(pictures, np.random.default_rng(0))
    assert patches.shape == (6, 3, 8, 8)
    windows = pictures[0].unfold(1, 8, 1).unfold(2, 8, 1)  # (3, 9, 5, 8, 8)
    assert (windows == patches[0][:, None, None]).all(dim=(0, 3, 4)).any()


def test_pulse_finds_a_closer_face_and_repeats_itself_in_inference_mode() -> None:
    network: Any = build("pulse", {"steps": 12}).eval()
    short: Any = build("pulse", {"steps": 1}).eval()
    with torch.inference_mode():
        wanted = short.generate(torch.randn(10, 256, generator=torch.Generator().manual_seed(5)))
        wanted = wanted.clamp(0.0, 1.0)
        found = network(wanted)
        assert torch.equal(network(wanted), found)
        before = (short(wanted) - wanted).square().mean()
    assert (found - wanted).square().mean() < 0.8 * before
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_angle_between_latents() -> None:
    latents = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    angle = mean_squared_angle(latents)
    torch.testing.assert_close(angle, torch.tensor(0.5 * (torch.pi / 2) ** 2), atol=1e-3, rtol=1e-3)
    (gradient,) = torch.autograd.grad(mean_squared_angle(latents[:1].repeat(3, 1)), [latents])
    assert gradient.isfinite().all()
