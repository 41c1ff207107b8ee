"""One optimizer step, skipped where the gradient is not finite, without synchronising with the device.

Reading a truth value from a GPU waits for all that was queued on it. So fused optimizers are given the flag
as a tensor on the device (as gradient scalers do), and skipped steps are counted there and read now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from lumiface.core.errors import LumifaceError

MAX_NONFINITE_STEPS = 20
"""Consecutive steps with infinite or NaN gradients after which a run is stopped."""


def optimizer_step(fabric: Fabric, network: Any, optimizer: Any, clip: float) -> Tensor:
    """Clip the gradient's norm at `clip` and update the weights, unless the norm is infinite or NaN.

    Args:
        network, optimizer: as Fabric has set them up.

    Returns:
        Scalar bool on the device: whether the weights were updated.
    """
    norm = fabric.clip_gradients(network, optimizer, max_norm=clip, error_if_nonfinite=False)
    if norm is None:  # strategies that clip by themselves return no norm
        optimizer.step()
        return torch.ones((), dtype=torch.bool, device=fabric.device)
    finite = torch.isfinite(norm)
    if optimizer.defaults.get("fused"):
        inner = optimizer.optimizer
        inner.grad_scale, inner.found_inf = None, (~finite).float()
        optimizer.step()
    elif bool(finite):
        optimizer.step()
    return finite


class NonFiniteCounter:
    """Counts skipped steps on the device."""

    def __init__(self, device: torch.device) -> None:
        self.consecutive = torch.zeros((), dtype=torch.int64, device=device)
        self.longest = torch.zeros_like(self.consecutive)

    def update(self, finite: Tensor) -> None:
        """After each step: whether all its gradients were finite."""
        self.consecutive = torch.where(finite, torch.zeros_like(self.consecutive), self.consecutive + 1)
        self.longest = torch.maximum(self.longest, self.consecutive)

    def report(self, folder: Path, step: int, log: Callable[[str], None]) -> None:
        """Log the steps skipped since the last report; this synchronises with the device.

        Raises:
            LumifaceError: `MAX_NONFINITE_STEPS` consecutive steps were skipped.
        """
        longest = int(self.longest)
        self.longest = torch.zeros_like(self.longest)
        if longest == 0:
            return
        log(f"step {step}: the gradient is not finite; step skipped ({longest} in a row)")
        if longest >= MAX_NONFINITE_STEPS:
            raise LumifaceError(
                f"{folder}: {MAX_NONFINITE_STEPS} steps in a row were not finite; lower lr in the "
                "configuration"
            )
