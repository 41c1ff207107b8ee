"""A network's features of output and target, for losses that compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def features_of_both(
    features: Callable[[Tensor], Sequence[Tensor]],
    output: Tensor,
    target: Tensor,
    *,
    together: bool | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """The features of two batches of images; those of the target get no gradient.

    In one call a GPU has half the kernels, but also computes the backward pass of the target's half, which is
    all zero: worth it for networks with many small layers.

    Args:
        features: images (B, ...) -> features (B, ...) at one or more layers; images do not influence each
            other.
        output, target: images of one shape (B, ...).
        together: both in one call; None: on a GPU only, since the last bit may depend on it.

    Returns:
        The features of the output and those of the target, layer by layer.
    """
    if output.is_cuda if together is None else together:
        pairs = [layer.chunk(2) for layer in features(torch.cat([output, target.detach()]))]
        return [one for one, _ in pairs], [other.detach() for _, other in pairs]
    with torch.no_grad():
        target_features = features(target)
    return list(features(output)), list(target_features)
