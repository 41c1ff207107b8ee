"""Several processes, one run: their gradients are averaged once a turn.

DDP averages while it goes back through a network, and counts on every parameter to be met exactly once. In a
game that is not so: a critic is asked twice, or asked and not taught, and a penalty on slopes passes by the
biases. So DDP is told to wait, and the averaging is done here, of whatever gradients a turn has left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn


@contextmanager
def apart(fabric: Fabric, networks: Iterable[nn.Module]) -> Generator[None]:
    """Within, networks that Fabric has set up keep their gradients to themselves; see `average_gradients`."""
    with ExitStack() as stack:
        for network in networks if _by_ddp(fabric) else ():
            stack.enter_context(fabric.no_backward_sync(network))  # pyright: ignore[reportArgumentType]
        yield


def average_gradients(fabric: Fabric, network: nn.Module) -> None:
    """Each parameter's gradient becomes the mean over all processes; all of them call this, or none does."""
    if not _by_ddp(fabric):
        return
    slopes = [value.grad for value in network.parameters() if value.grad is not None]
    together: Tensor = torch.cat([slope.flatten() for slope in slopes])  # one message, not hundreds
    fabric.all_reduce(together, reduce_op="mean")
    for slope, mean in zip(slopes, together.split([slope.numel() for slope in slopes]), strict=True):
        slope.copy_(mean.view_as(slope))


def _by_ddp(fabric: Fabric) -> bool:
    """Other strategies have their own ways, which must not be stopped (FSDP), or have one process."""
    return isinstance(fabric.strategy, DDPStrategy)
