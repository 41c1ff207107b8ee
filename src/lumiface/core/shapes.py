"""Shape checks shared by losses and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def require_same_pictures(output: Tensor, target: Tensor) -> None:
    """Reject pairs that torch would silently broadcast.

    Args:
        output: (B, 3, H, W).
        target: (B, 3, H, W).

    Raises:
        ValueError: the shapes differ, or are not those of RGB picture batches.
    """
    if output.shape != target.shape or output.ndim != 4 or output.shape[1] != 3:
        raise ValueError(
            f"output {tuple(output.shape)} and target {tuple(target.shape)} must both be (B, 3, H, W), "
            "RGB, of the same size"
        )


def require_same_features(output: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    """Reject lists of features that do not match layer by layer.

    Raises:
        ValueError: there are none, their numbers differ, or the shapes of a pair differ.
    """
    one, other = ([tuple(layer.shape) for layer in layers] for layers in (output, target))
    if one != other or not one:
        raise ValueError(f"features {one} against {other}")
