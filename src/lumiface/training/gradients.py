"""Gradients: averaged over processes once per optimizer step, and what each loss term has of them.

DDP averages during the backward pass and expects each parameter to be used exactly once. In adversarial
training that does not hold: a discriminator is evaluated twice, or evaluated and not trained, and a gradient
penalty does not reach the biases. So DDP's own synchronisation is off, and gradients are averaged here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

INERT = 1e-3
"""Share below which a term counts as inert."""


@contextmanager
def no_gradient_sync(fabric: Fabric, networks: Iterable[nn.Module]) -> Generator[None]:
    """Within, networks that Fabric has set up do not average their gradients; see `average_gradients`."""
    with ExitStack() as stack:
        for network in networks if _uses_ddp(fabric) else ():
            stack.enter_context(fabric.no_backward_sync(network))  # pyright: ignore[reportArgumentType]
        yield


def average_gradients(fabric: Fabric, network: nn.Module) -> None:
    """Each parameter's gradient becomes the mean over all processes; all of them must call this."""
    if not _uses_ddp(fabric):
        return
    grads = [value.grad for value in network.parameters() if value.grad is not None]
    flat: Tensor = torch.cat([grad.flatten() for grad in grads])  # one message, not hundreds
    fabric.all_reduce(flat, reduce_op="mean")
    for grad, mean in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(mean.view_as(grad))


def gradient_shares(terms: Mapping[str, Tensor], parameters: Iterable[Tensor]) -> dict[str, float]:
    """Norm of each term's gradient over the largest of them, 0 to 1; the graph is kept for the backward pass.

    Args:
        terms: weighted scalars, whose sum is minimised.
        parameters: of the network that they train; those without a gradient are left out.

    Returns:
        By term; empty if there is one term only, or none has a gradient.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if len(terms) < 2 or not trained:
        return {}
    norms = {name: _norm(term, trained) for name, term in terms.items()}
    largest = max(norms.values())
    return {name: norm / largest for name, norm in norms.items()} if largest > 0.0 else {}


def _uses_ddp(fabric: Fabric) -> bool:
    """Other strategies must synchronise in their own way (FSDP), or have one process."""
    return isinstance(fabric.strategy, DDPStrategy)


def _norm(term: Tensor, parameters: list[Tensor]) -> float:
    if not term.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, materialize_grads=True)
    return float(torch.stack([gradient.double().square().sum() for gradient in gradients]).sum().sqrt())
