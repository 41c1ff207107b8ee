"""Sampled parameters of a degradation: their ranges, and the values of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Self

import torch
from pydantic import BaseModel
from torch import Tensor

Range = tuple[float, float]
"""Low and high, both included."""


def validate_ranges(config: BaseModel, bounds: Mapping[str, Range]) -> None:
    """Check that the ranges of a configuration are ordered and within their bounds.

    Args:
        bounds: name of the setting -> smallest low end and largest high end.

    Raises:
        ValueError: a range is not; the message names it.
    """
    for name, (minimum, maximum) in bounds.items():
        low, high = getattr(config, name)
        if not minimum <= low <= high <= maximum or math.isinf(high):
            bound = f"{minimum:g} <= low <= high" + (f" <= {maximum:g}" if maximum < math.inf else "")
            raise ValueError(f"{name}: need {bound}, got ({low}, {high})")


def scale_to_range(limits: Range, unit: Tensor) -> Tensor:
    """Values in [0, 1) -> values in the range."""
    low, high = limits
    return low + (high - low) * unit


def to_int_range(limits: tuple[int, int], unit: Tensor) -> Tensor:
    """Uniform values in [0, 1) -> uniform int64 in the range, both ends included."""
    low, high = limits
    return (low + ((high - low + 1) * unit).floor()).long().clamp(low, high)


class SampledParameters:
    """Base of frozen dataclasses of tensors (B,), one value per picture, and of settings common to all."""

    __slots__ = ()

    def names(self) -> tuple[str, ...]:
        """The names of the tensors."""
        instance: Any = self  # a subclass, which is a dataclass
        return tuple(f.name for f in fields(instance) if isinstance(getattr(self, f.name), Tensor))

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        instance: Any = self
        return replace(instance, **{name: getattr(self, name).to(device) for name in self.names()})

    def as_dict(self, index: int) -> dict[str, float | int]:
        """The values of one picture, by name."""
        return {name: getattr(self, name)[index].item() for name in self.names()}
