"""Learning rates over a run, and the moving average of weights."""

from __future__ import annotations

import pytest
import torch

from example_runs import paired_config
from lumiface.training.ema import EMA
from lumiface.training.lr_schedule import learning_rate


def test_learning_rate() -> None:
    cosine = paired_config(steps=1000, warmup=100, lr=0.5)
    assert learning_rate(0, cosine) == pytest.approx(0.005)
    assert learning_rate(49, cosine) == pytest.approx(0.25)
    assert learning_rate(99, cosine) == learning_rate(100, cosine) == 0.5
    assert learning_rate(550, cosine) == pytest.approx(0.5 * (0.01 + 0.99 / 2))  # half way
    assert learning_rate(1000, cosine) == pytest.approx(0.005)
    higher = cosine.model_copy(update={"lr_end": 0.05})
    assert learning_rate(1000, higher) == pytest.approx(0.025)
    assert learning_rate(100, higher) == 0.5
    rates = [learning_rate(step, cosine) for step in range(100, 1001)]
    assert rates == sorted(rates, reverse=True)
    halved = paired_config(steps=1000, warmup=1, lr=0.8, schedule="milestones")
    rates = [learning_rate(step, halved) for step in (1, 490, 510, 740, 760, 890, 910, 999)]
    assert rates == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1])
    assert learning_rate(0, paired_config(warmup=0, lr=0.5)) == 0.5


def test_learning_rate_of_a_timed_run() -> None:
    timed = paired_config(minutes=5.0, warmup=9, lr=0.5)
    assert learning_rate(9, timed, 0.0) == learning_rate(1000, timed, 0.0) == 0.5
    assert learning_rate(1000, timed, 0.5) == pytest.approx(0.5 * (0.01 + 0.99 / 2))
    assert learning_rate(1000, timed, 1.0) == pytest.approx(0.005)


def test_moving_average_of_weights() -> None:
    network = torch.nn.BatchNorm1d(1)  # parameters, float buffers, and an integer
    average = EMA(network, decay=0.9)
    expected = network.weight.detach().clone()
    for step in range(200):
        with torch.no_grad():
            network.weight.fill_(float(step))
        network.num_batches_tracked.fill_(step)
        average.update(network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(average.weights["weight"], expected)
    assert average.weights["num_batches_tracked"] == 199
    assert average.weights["weight"].item() == pytest.approx(199 - 9, abs=1e-3)  # lags by decay / (1 - decay)
