"""Steps that wait for no device: gradients that are not finite, operations counted, runs by the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from lumiface.core.errors import LumifaceError
from lumiface.registry import build
from lumiface.training.optimizer_step import MAX_NONFINITE_STEPS, NonFiniteCounter, take_step
from lumiface.training.throughput import FirstStepFlops, compiled, measure_peak


def slope_of(value: float, fused: bool) -> tuple[Tensor, Tensor]:
    """The weights after a finite step and one whose gradient is `value`, and whether the second was taken."""
    fabric = Fabric(accelerator="cpu", devices=1)
    torch.manual_seed(0)
    plain = nn.Linear(3, 2)
    inner = torch.optim.Adam(plain.parameters(), lr=0.1, fused=fused)
    network, optimizer = fabric.setup(plain, inner)
    taken = torch.zeros(())
    for factor in (1.0, value):
        optimizer.zero_grad()
        fabric.backward(network(torch.full((1, 3), factor)).sum())
        taken = take_step(fabric, network, optimizer, clip=1.0)
    return plain.weight.detach().clone(), taken


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_is_not_finite_leaves_the_weights(fused: bool) -> None:
    once, _ = slope_of(float("nan"), fused)
    twice, taken = slope_of(2.0, fused)
    assert bool(once.isfinite().all())
    assert bool(taken)
    assert not torch.equal(once, twice)
    poisoned, taken = slope_of(float("inf"), fused)
    assert not bool(taken)
    torch.testing.assert_close(poisoned, once, rtol=0, atol=0)


def test_both_kinds_of_optimizer_move_alike() -> None:
    torch.testing.assert_close(slope_of(2.0, fused=False)[0], slope_of(2.0, fused=True)[0])


def test_skipped_steps_are_counted_and_patience_ends() -> None:
    said: list[str] = []
    skipped = NonFiniteCounter(torch.device("cpu"))
    for finite in (True, False, False, True, False):
        skipped.saw(torch.tensor(finite))
    skipped.tell(Path("run"), 5, said.append)
    assert said == ["step 5: the gradient is not finite; step skipped (2 in a row)"]
    skipped.saw(torch.tensor(True))
    skipped.tell(Path("run"), 6, said.append)
    assert len(said) == 1
    for _ in range(MAX_NONFINITE_STEPS):
        skipped.saw(torch.tensor(False))
    with pytest.raises(LumifaceError, match=f"run: {MAX_NONFINITE_STEPS} steps in a row"):
        skipped.tell(Path("run"), 30, said.append)


def test_operations_are_counted_once_forward_and_backward() -> None:
    conv = nn.Conv2d(4, 6, 3, padding=1)
    seen = FirstStepFlops()
    forward = 2 * 4 * 6 * 9 * 10 * 12
    for _ in range(2):
        with seen:
            conv(torch.rand(1, 4, 10, 12)).sum().backward()  # the input needs no gradient
        assert seen.flops == 2 * forward
    assert not seen.first


def test_a_compiled_network_is_counted_and_shares_its_weights() -> None:
    linear = nn.Linear(8, 8)
    assert compiled(linear, "gpu", torch.device("cpu")) is linear
    network: Any = compiled(linear, "always", torch.device("cpu"))
    seen = FirstStepFlops()
    with seen:  # uncompiled while it is counted, so no compiler is called here
        network(torch.rand(5, 8)).sum().backward()
    assert seen.flops == 2 * 2 * 5 * 8 * 8
    assert linear.weight.grad is not None


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["lfsrnet-base", "lumiface-x4"])
def test_compiled_networks_learn_as_others_do(preset: str) -> None:
    """As the configurations for a GPU ask for it; channels last, which compiled kernels must have met."""
    torch.manual_seed(0)
    network = build(preset).to(memory_format=torch.channels_last)
    low = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    slopes: list[Tensor] = []
    for way in (network, compiled(network, "always", torch.device("cpu"))):
        network.zero_grad()
        way(low).square().mean().backward()
        slopes.append(
            torch.cat([value.grad.flatten() for value in network.parameters() if value.grad is not None])
        )
    torch.testing.assert_close(slopes[1], slopes[0], atol=1e-4 * float(slopes[0].abs().max()), rtol=1e-3)


def test_the_peak_is_a_machines() -> None:
    assert 1e8 < measure_peak(torch.device("cpu"), "32-true") < 1e14
