"""Compiled networks and functions do what they do uncompiled, from the same random numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lumiface.core.draws import RandomSource, rand, randint, randn
from lumiface.methods.fusion_bfr.ada_augment import AugmentConfig, sample_transforms
from lumiface.registry import build, build_recipe
from lumiface.training.compiled import CompiledFunction, maybe_compile

CPU = torch.device("cpu")


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs that `torch.compile` makes; they run as they are, and a function must be one graph."""
    found: list[Any] = []

    def backend(graph: Any, inputs: list[Tensor]) -> Any:
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend, fullgraph=True))
    return found


def noisy(image: Tensor, factor: float, source: RandomSource) -> Tensor:
    """A function that draws numbers of every kind."""
    chosen = randint(0, 5, (len(image), 1), source)
    return image * rand((len(image), 1), source) + factor * chosen * randn(image.shape, source)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_compiled_function_is_one_graph_and_draws_the_same_numbers(graphs: list[Any]) -> None:
    compiled = maybe_compile(noisy, "always", CPU)
    assert isinstance(compiled, CompiledFunction)
    for size, seed in ((4, 0), (4, 1), (6, 2)):
        image, plain, other = torch.rand(size, 3), seeded(seed), seeded(seed)
        assert torch.equal(compiled(image, 0.5, other), noisy(image, 0.5, plain))
        assert torch.equal(plain.get_state(), other.get_state())  # what is drawn later is the same, too
    assert len(graphs) == 2  # one for each size


def test_a_function_inside_of_a_compiled_one_is_part_of_its_graph(graphs: list[Any]) -> None:
    inner = maybe_compile(noisy, "always", CPU)

    def outer(image: Tensor, source: RandomSource) -> Tensor:
        return inner(image, 2.0, source) + randn(image.shape, source)

    image = torch.rand(4, 3)
    compiled = maybe_compile(outer, "always", CPU)
    value = compiled(image, seeded(0))
    assert len(graphs) == 1
    generator = seeded(0)
    assert torch.equal(value, noisy(image, 2.0, generator) + randn(image.shape, generator))


def test_on_the_cpu_nothing_is_compiled_unless_asked_for() -> None:
    assert maybe_compile(noisy, "gpu", CPU) is noisy
    assert maybe_compile(noisy, "parts", CPU, part=True) is noisy


def test_parts_are_compiled_by_themselves(graphs: list[Any]) -> None:
    gpu, network = torch.device("cuda"), nn.ReLU()
    assert maybe_compile(noisy, "never", gpu, part=True) is noisy
    assert maybe_compile(network, "parts", gpu) is network
    assert isinstance(maybe_compile(noisy, "parts", gpu, part=True), CompiledFunction)
    assert maybe_compile(network, "gpu", gpu) is not network


@pytest.mark.parametrize(
    ("preset", "recipe"),
    [
        ("lumiface-x4", {"camera": {}}),
        ("lumiface-x4", {"camera": {}, "damage": {}, "damaged": 0.5}),
        ("lumiface-x4", {}),
    ],
)
def test_degradations_of_pairs_are_one_graph(graphs: list[Any], preset: str, recipe: dict[str, Any]) -> None:
    recipe_of: Any = build_recipe(preset, recipe, seed=0)
    compiled = maybe_compile(recipe_of.degrade, "always", CPU)
    high = torch.rand(2, 3, 32, 32)
    for output, expected in zip(
        compiled(high, "joint", 4, seeded(1)), recipe_of.degrade(high, "joint", 4, seeded(1)), strict=True
    ):
        assert torch.equal(output, expected)
    assert len(graphs) == 1


@pytest.mark.parametrize("dark", [None, {}])
def test_the_degradation_of_blind_restoration_is_one_graph(graphs: list[Any], dark: Any) -> None:
    recipe: Any = build_recipe(
        "fusion-bfr-restorer-64", {"perceptual": 0.0, "identity": 0.0, "dark": dark}, seed=0
    )
    target = torch.rand(2, 3, 32, 32)
    output = maybe_compile(recipe.degrade, "always", CPU)(target, seeded(1))
    assert torch.equal(output, recipe.degrade(target, seeded(1)))
    assert len(graphs) == 1


def test_the_transforms_of_the_augmentation_are_one_graph(graphs: list[Any]) -> None:
    compiled, p = maybe_compile(sample_transforms, "always", CPU), torch.tensor(0.7)
    for output, expected in zip(
        compiled(5, p, AugmentConfig(), seeded(1)),
        sample_transforms(5, p, AugmentConfig(), seeded(1)),
        strict=True,
    ):
        assert torch.equal(output, expected)
    assert len(graphs) == 1


def test_each_input_size_is_compiled_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[Any, ...]] = []

    def backend(graph: Any, inputs: list[Tensor]) -> Any:
        shapes.append(tuple(inputs[-1].shape))
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    network = maybe_compile(nn.ReLU(), "always", CPU)
    for side in (8, 12, 8, 16):
        network(torch.rand(2, 3, side, side))
    assert shapes == [(2, 3, side, side) for side in (8, 12, 16)]
    assert all(type(size) is int for shape in shapes for size in shape)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["lfsrnet-base", "lumiface-x4"])
def test_compiled_networks_have_the_same_gradients(preset: str) -> None:
    """As the configurations for a GPU ask for it; channels last, which compiled kernels must support."""
    torch.manual_seed(0)
    network = build(preset).to(memory_format=torch.channels_last)
    low = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    grads: list[Tensor] = []
    for variant in (network, maybe_compile(network, "always", CPU)):
        network.zero_grad()
        variant(low).square().mean().backward()
        grads.append(
            torch.cat([value.grad.flatten() for value in network.parameters() if value.grad is not None])
        )
    torch.testing.assert_close(grads[1], grads[0], atol=1e-4 * float(grads[0].abs().max()), rtol=1e-3)


@pytest.mark.slow
def test_compiled_degradations_are_the_same() -> None:
    """Of simulated camera images; they lie on the 8-bit grid, where a last bit may round the other way."""
    recipe = build_recipe("lumiface-x4", {"camera": {}}, seed=0)
    high = torch.rand(4, 3, 128, 128)
    plain, compiled = (
        function(high, "joint", 4, torch.Generator().manual_seed(1))[0]
        for function in (recipe.degrade, maybe_compile(recipe.degrade, "always", CPU))
    )
    difference = (plain - compiled).abs() * 255.0
    assert difference.max() < 16.0  # one step of a coarse JPEG table
    assert (difference > 0.5).float().mean() < 0.01
