"""One optimizer's step, left out where the gradient is not finite, without asking the device which it is.

To ask a GPU for a truth value is to wait until it has done all that it was given; then it waits in turn for
what comes next. So fused optimizers are told by a number on the device whether to move (as gradient scalers
tell them), and what was left out is counted there and read now and then.
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
"""So many steps in a row may end in infinities or NaN, and be skipped, before the run is given up."""


def take_step(fabric: Fabric, network: Any, optimizer: Any, clip: float) -> Tensor:
    """Cut the gradient's norm at `clip` and move the weights, unless it is infinite or NaN.

    Args:
        network, optimizer: as Fabric has set them up.

    Returns:
        Scalar bool on the device: whether the weights moved.
    """
    norm = fabric.clip_gradients(network, optimizer, max_norm=clip, error_if_nonfinite=False)
    if norm is None:  # strategies that clip by themselves do not tell
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
    """Counts the steps that were left out, on the device."""

    def __init__(self, device: torch.device) -> None:
        self.row = torch.zeros((), dtype=torch.int64, device=device)
        self.longest = torch.zeros_like(self.row)

    def saw(self, finite: Tensor) -> None:
        """After each step: whether all its gradients were finite."""
        self.row = torch.where(finite, torch.zeros_like(self.row), self.row + 1)
        self.longest = torch.maximum(self.longest, self.row)

    def tell(self, folder: Path, step: int, tell: Callable[[str], None]) -> None:
        """Say what was left out since it was last asked; this waits for the device.

        Raises:
            LumifaceError: `MAX_NONFINITE_STEPS` steps in a row were.
        """
        longest = int(self.longest)
        self.longest = torch.zeros_like(self.longest)
        if longest == 0:
            return
        tell(f"step {step}: the gradient is not finite; step skipped ({longest} in a row)")
        if longest >= MAX_NONFINITE_STEPS:
            raise LumifaceError(
                f"{folder}: {MAX_NONFINITE_STEPS} steps in a row were not finite; lower lr in the configuration"
            )
