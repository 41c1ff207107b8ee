"""Planes on a coarse grid over a picture: what varies slowly is kept in few values, and read tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lumiface.imaging.strips import Tile


@dataclass(frozen=True, slots=True, eq=False)
class CoarsePlanes:
    """Values of cells of equal size, the first at the picture's corner.

    Attributes:
        values: (1, C, h, w).
        cell: rows and columns of a cell, pixels.
    """

    values: Tensor
    cell: tuple[float, float]

    def at(self, tile: Tile) -> Tensor:
        """(1, C, rows, columns) of a tile with its halo: linear between the middles of the cells, even
        beyond those at the border."""
        if self.cell == (1.0, 1.0):
            return tile.read(self.values)
        rows, down = _weights(self.values.shape[-2], self.cell[0], tile.origin[0], tile.end[0], self.values)
        columns, across = _weights(
            self.values.shape[-1], self.cell[1], tile.origin[1], tile.end[1], self.values
        )
        return down @ self.values[..., rows, columns] @ across.T


def _weights(cells: int, cell: float, first: int, end: int, like: Tensor) -> tuple[slice, Tensor]:
    """The cells that pixels `first` to `end` lie between, and their weights, (end - first, cells)."""
    at = ((torch.arange(first, end, device=like.device) + 0.5) / cell - 0.5).clamp(0.0, cells - 1.0)
    low, high = math.floor(float(at[0])), math.ceil(float(at[-1])) + 1
    distance = at[:, None] - torch.arange(low, high, device=like.device)
    return slice(low, high), (1.0 - distance.abs()).clamp(min=0.0).to(like.dtype)
