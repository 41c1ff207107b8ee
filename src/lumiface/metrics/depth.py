"""Depth correlation: similarity of the shapes of two depth maps, invariant to shift and scale."""

from __future__ import annotations

from torch import Tensor


def depth_correlation(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    r"""Pearson's correlation of two depth maps inside a mask, in [-1, 1]; higher is better.

    .. math:: r = \frac{\sum_m (p - \bar p)(t - \bar t)}{\sqrt{\sum_m (p - \bar p)^2 \sum_m (t - \bar t)^2}}

    Invariant to a shift and a positive scale of either map: it measures shape only. Crop: the mask.

    Args:
        predicted: p, (B, H, W), any unit.
        target: t, (B, H, W), any unit; values outside the mask are ignored.
        mask: m, (B, H, W) bool.

    Returns:
        (B,) float64, one per map; NaN where either map is constant inside the mask.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> ramp = torch.linspace(0, 1, 64).expand(1, 64, 64)
        >>> depth_correlation(ramp**2, ramp, torch.ones(1, 64, 64, dtype=torch.bool)).item()
        0.967...
    """
    if predicted.shape != target.shape or mask.shape != target.shape or target.ndim != 3:
        raise ValueError(
            f"predicted {tuple(predicted.shape)}, target {tuple(target.shape)} and mask {tuple(mask.shape)} "
            "must all be (B, H, W)"
        )
    inside = mask.flatten(1).bool()
    count = inside.sum(dim=1, keepdim=True)
    p, t = _centred(predicted, inside, count), _centred(target, inside, count)
    # Separate roots: the product of two small sums of squares would underflow.
    return (p * t).sum(dim=1) / (p.square().sum(dim=1).sqrt() * t.square().sum(dim=1).sqrt())


def _centred(depth: Tensor, inside: Tensor, count: Tensor) -> Tensor:
    """(B, H·W) float64, minus its mean inside the mask; 0 outside, even where it was NaN."""
    # Relative to the first pixel inside: a constant map is then exactly 0, not the mean's rounding error.
    values = depth.flatten(1).double()
    first = values.gather(1, inside.int().argmax(dim=1, keepdim=True))
    values = (values - first).masked_fill(~inside, 0.0)
    return (values - values.sum(dim=1, keepdim=True) / count).masked_fill(~inside, 0.0)
