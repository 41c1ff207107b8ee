"""Contact sheets: a grid of pictures in one."""

from __future__ import annotations

import torch
from torch import Tensor


def picture_grid(pictures: Tensor, columns: int, gap: int = 4) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1], row by row -> one picture (1, 3, rows·(H+gap)+gap, …) on white.

    Raises:
        ValueError: there is no picture, or no column.
    """
    if len(pictures) == 0 or columns < 1:
        raise ValueError(f"a grid needs pictures and columns, got {len(pictures)} and {columns}")
    _, _, height, width = pictures.shape
    rows = -(-len(pictures) // columns)
    sheet = torch.ones(1, 3, rows * (height + gap) + gap, columns * (width + gap) + gap)
    for index, picture in enumerate(pictures):
        top = (index // columns) * (height + gap) + gap
        left = (index % columns) * (width + gap) + gap
        sheet[0, :, top : top + height, left : left + width] = picture.clamp(0.0, 1.0)
    return sheet
