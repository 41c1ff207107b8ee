"""How much each term of a loss moves a network: one with a small gradient beside the others does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

INERT = 1e-3
"""Share below which a term counts as inert."""


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


def _norm(term: Tensor, parameters: list[Tensor]) -> float:
    if not term.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, materialize_grads=True)
    return float(torch.stack([gradient.double().square().sum() for gradient in gradients]).sum().sqrt())
