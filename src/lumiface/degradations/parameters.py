"""What a degradation draws for a batch: from which ranges, and the numbers, which move and can be told."""

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
    """Check that the ranges of a configuration lie in order within their bounds, by name.

    Raises:
        ValueError: one does not; the line names it.
    """
    for name, (least, most) in bounds.items():
        low, high = getattr(config, name)
        if not least <= low <= high <= most or math.isinf(high):
            bound = f"{least:g} <= low <= high" + (f" <= {most:g}" if most < math.inf else "")
            raise ValueError(f"{name}: need {bound}, got ({low}, {high})")


def scale_to_range(limits: Range, unit: Tensor) -> Tensor:
    """Numbers in [0, 1) -> numbers in the range."""
    low, high = limits
    return low + (high - low) * unit


def to_int_range(limits: tuple[int, int], unit: Tensor) -> Tensor:
    """Numbers in [0, 1) -> int64 in the range, each as often as any other."""
    low, high = limits
    return (low + ((high - low + 1) * unit).floor()).long().clamp(low, high)


class SampledParameters:
    """A frozen dataclass of tensors (B,), one number a picture, and of settings that all pictures share."""

    __slots__ = ()

    def names(self) -> tuple[str, ...]:
        """Of what was drawn."""
        mine: Any = self
        return tuple(field.name for field in fields(mine) if isinstance(getattr(self, field.name), Tensor))

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        mine: Any = self
        return replace(mine, **{name: getattr(self, name).to(device) for name in self.names()})

    def of(self, index: int) -> dict[str, float | int]:
        """The numbers of one picture, by name."""
        return {name: getattr(self, name)[index].item() for name in self.names()}
