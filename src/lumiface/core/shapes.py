"""The guards that losses and metrics share: what is to be compared must have one shape."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def require_same_pictures(output: Tensor, target: Tensor) -> None:
    """Refuse pairs that torch would silently broadcast.

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
    """Refuse features of two pictures that do not belong together, layer by layer.

    Raises:
        ValueError: there are none, their number differs, or a pair's shapes differ.
    """
    one, other = ([tuple(layer.shape) for layer in layers] for layers in (output, target))
    if one != other or not one:
        raise ValueError(f"features {one} against {other}")
