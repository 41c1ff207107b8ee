"""What a degradation has drawn for a batch: numbers by name, which move between devices and can be told."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Self

import torch
from torch import Tensor


class DrawnNumbers:
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
