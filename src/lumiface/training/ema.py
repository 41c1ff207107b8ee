"""Exponential moving average of weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class EMA:
    """Exponential moving average of a network's weights: what is validated and shipped.

    The decay rises from 0.1 to its final value, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {key: value.detach().clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Continue from stored weights.

        They are copied in place: another memory layout would select other kernels, whose results differ in
        the last bit.
        """
        for key, value in self.weights.items():
            value.copy_(weights[key])

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for key, value in network.state_dict().items():
            average = self.weights[key]
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        average_all: Any = get_ema_multi_avg_fn(decay)
        average_all(averages, values, step)  # in one call, not one for each tensor
