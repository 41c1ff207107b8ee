"""Steps that do not wait for the device: non-finite gradients, counted operations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from example_runs import cpu_fabric
from lumiface.core.errors import LumifaceError
from lumiface.training.compiled import maybe_compile
from lumiface.training.optimizer_step import MAX_NONFINITE_STEPS, NonFiniteCounter, optimizer_step
from lumiface.training.throughput import StepFlops, measure_peak


def weights_after_step(gradient: float, *, fused: bool) -> tuple[Tensor, Tensor]:
    """Weights after a finite step and one whose gradient is `gradient`; whether the second was applied."""
    fabric = cpu_fabric()
    torch.manual_seed(0)
    linear = nn.Linear(3, 2)
    network, optimizer = fabric.setup(linear, torch.optim.Adam(linear.parameters(), lr=0.1, fused=fused))
    updated = torch.zeros(())
    for factor in (1.0, gradient):
        optimizer.zero_grad()
        fabric.backward(network(torch.full((1, 3), factor)).sum())
        updated = optimizer_step(fabric, network, optimizer, clip=1.0)
    return linear.weight.detach().clone(), updated


@pytest.mark.parametrize("fused", [False, True])
def test_a_nonfinite_step_leaves_the_weights(fused: bool) -> None:
    once, _ = weights_after_step(float("nan"), fused=fused)
    twice, updated = weights_after_step(2.0, fused=fused)
    assert bool(once.isfinite().all())
    assert bool(updated)
    assert not torch.equal(once, twice)
    infinite, updated = weights_after_step(float("inf"), fused=fused)
    assert not bool(updated)
    torch.testing.assert_close(infinite, once, rtol=0, atol=0)


def test_fused_and_plain_optimizers_agree() -> None:
    torch.testing.assert_close(
        weights_after_step(2.0, fused=False)[0], weights_after_step(2.0, fused=True)[0]
    )


def test_skipped_steps_are_counted_up_to_a_limit() -> None:
    lines: list[str] = []
    counter = NonFiniteCounter(torch.device("cpu"))
    for finite in (True, False, False, True, False):
        counter.update(torch.tensor(finite))
    counter.report(Path("run"), 5, lines.append)
    assert lines == ["step 5: the gradient is not finite; step skipped (2 in a row)"]
    counter.update(torch.tensor(True))
    counter.report(Path("run"), 6, lines.append)
    assert len(lines) == 1
    for _ in range(MAX_NONFINITE_STEPS):
        counter.update(torch.tensor(False))
    with pytest.raises(LumifaceError, match=f"run: {MAX_NONFINITE_STEPS} steps in a row"):
        counter.report(Path("run"), 30, lines.append)


def test_operations_of_a_step_are_counted_forward_and_backward() -> None:
    conv = nn.Conv2d(4, 6, 3, padding=1)
    counter = StepFlops()
    forward = 2 * 4 * 6 * 9 * 10 * 12
    for passes, counted_now in ((3, False), (1, True), (1, False)):  # a regulariser in the first step
        with counter:
            for _ in range(passes):
                conv(torch.rand(1, 4, 10, 12)).sum().backward()  # the input needs no gradient
        assert counter.just_counted == counted_now
    assert counter.flops == 2 * forward


def test_a_compiled_network_is_counted_and_shares_its_weights() -> None:
    linear = nn.Linear(8, 8)
    assert maybe_compile(linear, "gpu", torch.device("cpu")) is linear
    network: Any = maybe_compile(linear, "always", torch.device("cpu"))
    counter = StepFlops()
    with counter:  # uncompiled while it is counted, so no compiler is called here
        network(torch.rand(5, 8)).sum().backward()
    assert counter.flops == 2 * 2 * 5 * 8 * 8
    assert linear.weight.grad is not None


def test_the_peak_is_plausible() -> None:
    assert 1e8 < measure_peak(torch.device("cpu"), "32-true") < 1e14
