"""The trained low-light baselines: sizes and layers of their papers, and that training reduces the loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import Find, psnr, rand
from lumiface import losses
from lumiface.core.errors import InputError
from lumiface.methods.baselines import sci, zero_dce
from lumiface.methods.baselines.dln import DLN, DLNConfig
from lumiface.methods.baselines.lsr import LSR, LSRConfig
from lumiface.methods.baselines.sci import SCI, SCIConfig, SCIRecipe, SCIRecipeConfig
from lumiface.methods.baselines.zero_dce import (
    ZeroDCE,
    ZeroDCEConfig,
    ZeroDCERecipe,
    ZeroDCERecipeConfig,
)

NO_BOXES = torch.empty(0, 4)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def train(
    network: Any, recipe: Any, low: Tensor, target: Tensor, steps: int, lr: float
) -> tuple[float, float]:
    """Loss before and after some steps on one batch."""
    optimizer = torch.optim.Adam(network.parameters(), lr)
    values: list[float] = []
    for _ in range(steps):
        loss = torch.stack(list(recipe(network(low), low, target, NO_BOXES).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values[0], values[-1]


# DLN and LSR --------------------------------------------------------------------------------------------


def lightening(channels: int) -> int:
    """Parameters of one LBP, by hand: three operators of three layers, two 1x1 layers, eleven PReLUs."""
    half = channels // 2
    operator = 9 * (channels * half + half * half + half * channels) + 2 * half + channels
    return 3 * operator + 2 * (channels**2 + channels) + 11


def aggregation(inputs: int, channels: int) -> int:
    return 2 * inputs * max(inputs // 16, 4) + inputs * channels + channels + 1


@pytest.mark.parametrize("channels", [32, 64])
def test_dln_has_the_papers_layers(channels: int) -> None:
    c = channels
    extract = 9 * (4 * 2 * c + 2 * c * c) + 3 * c + 2
    stages = sum(aggregation(n * c, c) + lightening(c) for n in (1, 2, 3))
    head = 9 * 4 * c * c + c + 1 + 9 * c * 3 + 3
    assert count(DLN(DLNConfig(channels=c))) == extract + stages + head
    if c == 64:  # "0.7 M"
        assert count(DLN(DLNConfig())) == 700_586


def test_lsr_upscales_by_up_projection() -> None:
    c = 64
    extract = 9 * (4 * 2 * c + 2 * c * c) + 3 * c + 2
    stages = sum(aggregation(n * c, c) for n in (1, 2, 3, 4)) + 3 * lightening(c)
    for scale, side in ((2, 6), (4, 8), (8, 12)):
        up = 3 * (side**2 * c**2 + c + 1)
        assert count(LSR(LSRConfig(scale=scale))) == extract + stages + up + 9 * c * 3 + 3


@pytest.mark.parametrize(
    "network",
    [DLN(DLNConfig(channels=16)), *(LSR(LSRConfig(channels=16, blocks=2, scale=s)) for s in (2, 4, 8))],
    ids=lambda network: f"{type(network).__name__}-x{network.config.scale}",
)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 12)])
def test_any_size_and_precision(network: Any, size: tuple[int, int]) -> None:
    scale: int = network.config.scale
    low = rand(2, 3, *size) * 0.3
    output = network(low)
    assert output.shape == (2, 3, size[0] * scale, size[1] * scale)
    copy = type(network)(network.config)
    copy.load_state_dict(network.state_dict())
    half = copy.to(torch.bfloat16)(low.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert (half.float() - output).abs().max() < 0.05


@pytest.mark.parametrize("channels", [32, 64])
@pytest.mark.parametrize("kind", [DLN, LSR])
def test_the_initial_output_is_the_dark_image(kind: Any, channels: int) -> None:
    low = rand(1, 3, 8, 8) * 0.3
    for seed in range(2):
        torch.manual_seed(seed)
        network = kind({DLN: DLNConfig, LSR: LSRConfig}[kind](channels=channels))
        plain = F.interpolate(low, scale_factor=float(network.config.scale), mode="bicubic")
        output = network(low)
        assert (output - plain).square().mean().sqrt() < 0.2
        output.mean().backward()
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []


def test_lightening_and_darkening_differ_in_a_sign() -> None:
    from lumiface.blocks.lightening import LightOperator

    light, darkening = LightOperator(8, lighten=True), LightOperator(8, lighten=False)
    darkening.load_state_dict(light.state_dict())
    features = rand(1, 8, 6, 6)
    code = light.encode(features)
    offset = light.offset(code)
    torch.testing.assert_close(light(features), light.decode(code + offset))
    torch.testing.assert_close(darkening(features), light.decode(code - offset))


def test_dln_learns_to_brighten(dark: tuple[Tensor, Tensor]) -> None:
    from lumiface.methods.base_recipe import L1Recipe, L1RecipeConfig

    torch.manual_seed(0)
    low, bright = (image[..., 24:40, 56:72] for image in dark)
    network = DLN(DLNConfig(channels=16))
    before, after = train(network, L1Recipe(L1RecipeConfig(), 0), low, bright, steps=25, lr=1e-3)
    assert after < 0.5 * before


# Zero-DCE -----------------------------------------------------------------------------------------------


def test_zero_dce_has_the_published_size_and_its_curve() -> None:
    network = ZeroDCE(ZeroDCEConfig())
    assert count(network) == 79_416
    low = rand(2, 3, 9, 7)
    stacked = network(low)
    assert stacked.shape == (2 * 9, 3, 9, 7)
    maps = stacked[2:].reshape(8, 2, 3, 9, 7)
    torch.testing.assert_close(maps.transpose(0, 1).flatten(1, 2), network.estimate_maps(low))
    lit = low
    for curve in maps:
        lit = lit + curve * lit * (1 - lit)
    torch.testing.assert_close(stacked[:2], lit)
    torch.testing.assert_close(network.eval()(low), lit)


def test_zero_dce_with_official_weights_equals_the_released_code(shared_asset: Find) -> None:
    path = shared_asset("zero_dce.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    low = rand(1, 3, 20, 17) * 0.4

    def layer(number: int, *inputs: Tensor) -> Tensor:
        weights = state[f"e_conv{number}.weight"], state[f"e_conv{number}.bias"]
        return F.conv2d(torch.cat(inputs, dim=1), *weights, padding=1)

    first = layer(1, low).relu()
    second = layer(2, first).relu()
    third = layer(3, second).relu()
    fifth = layer(5, third, layer(4, third).relu()).relu()
    maps = layer(7, first, layer(6, second, fifth).relu()).tanh()
    expected = low
    for curve in maps.split(3, dim=1):
        expected = expected + curve * (expected**2 - expected)
    torch.testing.assert_close(zero_dce.load_official(path)(low), expected, atol=1e-5, rtol=1e-5)


def test_zero_dce_learns_without_a_target(dark: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    low, bright = (image[..., 24:40, 56:72] for image in dark)
    network, recipe = ZeroDCE(ZeroDCEConfig()), ZeroDCERecipe(ZeroDCERecipeConfig(), 0)
    parts = recipe(network(low), low, torch.full_like(low, math.nan), NO_BOXES)
    assert set(parts) == {"spatial", "exposure", "colour", "smoothness"}
    before, after = train(network, recipe, low, bright, steps=40, lr=1e-3)
    assert after < 0.7 * before
    assert psnr(network.eval()(low), bright) > psnr(low, bright) + 3


# SCI ----------------------------------------------------------------------------------------------------


def test_sci_is_a_small_network_in_inference_and_a_cascade_in_training() -> None:
    torch.manual_seed(0)
    network = SCI(SCIConfig())
    assert count(network.estimate) == 258  # "0.0003 M"
    low = rand(2, 3, 8, 9) * 0.4
    stacked = network(low)
    assert stacked.shape == (2 * 3 * 2, 3, 8, 9)
    lights, inputs = (half.unflatten(0, (3, 2)) for half in stacked.chunk(2))
    torch.testing.assert_close(inputs[0], low)
    for stage in range(3):
        torch.testing.assert_close(lights[stage], network.estimate(inputs[stage]), atol=1e-4, rtol=1e-4)
        assert (lights[stage] >= inputs[stage].clamp(max=1) - 1e-6).all()
    network.eval()
    torch.testing.assert_close(network(low), low / network.estimate(low))
    assert network(low).max() <= 1


def test_scis_loss_is_the_sum_over_its_stages() -> None:
    lights, inputs = rand(6, 3, 8, 8), rand(6, 3, 8, 8, seed=1)
    parts = SCIRecipe(SCIRecipeConfig(), 0)(torch.cat([lights, inputs]), inputs[:2], inputs[:2], NO_BOXES)
    stages = list(zip(lights.chunk(3), inputs.chunk(3), strict=True))
    fidelity = 1.5 * torch.stack([F.mse_loss(x, v) for x, v in stages]).sum()
    smoothness = torch.stack([losses.edge_aware_smoothness_loss(x, v) for x, v in stages]).sum()
    torch.testing.assert_close(parts["fidelity"], fidelity)
    torch.testing.assert_close(parts["smoothness"], smoothness)


def test_sci_learns_without_a_target(dark: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    low, bright = (image[..., 24:40, 56:72] for image in dark)
    network = SCI(SCIConfig())
    before, after = train(network, SCIRecipe(SCIRecipeConfig(), 0), low, bright, steps=40, lr=3e-3)
    assert after < 0.7 * before
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


# weights of the authors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("baseline", "file"), [(zero_dce, "zero_dce.pth"), (sci, "sci_medium.pt")])
def test_the_authors_weights_brighten(
    baseline: Any, file: str, shared_asset: Find, dark: tuple[Tensor, Tensor]
) -> None:
    low, bright = dark
    network = baseline.load_official(shared_asset(file))
    assert not network.training
    with torch.inference_mode():
        output = network(low)
    assert 2 * low.mean() < output.mean() < 0.6
    assert psnr(output, bright) > psnr(low, bright) + 6


@pytest.mark.parametrize("baseline", [zero_dce, sci])
def test_other_files_are_refused(baseline: Any, tmp_path: Path) -> None:
    torch.save({"e_conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("other.pth", "text.pth", "list.pth", "absent.pth"):
        with pytest.raises(InputError, match=name):
            baseline.load_official(tmp_path / name)
