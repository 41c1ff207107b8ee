"""The steps between the blocks of a JPEG file, which brightening makes visible, turned into slopes."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.imaging.color import rgb_to_ycbcr, ycbcr_to_rgb

BLOCK = 8
_SMALLEST, _LARGEST = 0.6 / 255.0, 12.0 / 255.0  # heights of steps that are sought
_FLAT = 0.35  # a step is isolated if the picture changes by less than this fraction of it on either side
_FEWEST = 40  # isolated steps below which nothing is concluded


def remove_block_steps(rgb: Tensor, brightest: float) -> Tensor:
    """Turn the steps between the blocks of a JPEG file into slopes across half a block on each side.

    Only isolated steps count, with flat picture on both sides, and only up to the height that is common in
    the picture. There must be more than twice as many on every eighth line as on any other, or nothing is
    changed.

    Args:
        rgb: (1, 3, H, W) in [0, 1]. brightest: luma above which nothing counts.

    Returns:
        (1, 3, H, W); the picture itself where it has no such steps.
    """
    planes = rgb_to_ycbcr(rgb)
    found = False
    for _ in range(2):  # columns, then rows
        for channel in range(3):
            plane, light = planes[0, channel], planes[0, 0]
            smooth = _without_steps(plane, light < brightest)
            if smooth is not None:
                planes[0, channel], found = smooth, True
        planes = planes.mT.contiguous()
    return ycbcr_to_rgb(planes).clamp(0.0, 1.0) if found else rgb


def _without_steps(plane: Tensor, dark: Tensor) -> Tensor | None:
    """The plane (H, W) without its steps between columns; None if there are none on a grid of 8."""
    if plane.shape[1] < 3 * BLOCK:
        return None
    step = plane.diff(dim=1)  # (H, W - 1): step i is between columns i and i + 1
    size = step.abs()
    beside = torch.maximum(size[:, :-2], size[:, 2:])
    isolated = (beside < _FLAT * size[:, 1:-1]) & (size[:, 1:-1] > _SMALLEST) & (size[:, 1:-1] < _LARGEST)
    isolated = torch.nn.functional.pad(isolated, (1, 1)) & dark[:, 1:] & dark[:, :-1]
    per_column = isolated.sum(dim=0)
    counts = torch.stack([per_column[k::BLOCK].sum() for k in range(BLOCK)])
    phase = int(counts.argmax())
    others = torch.cat([counts[:phase], counts[phase + 1 :]])
    if int(counts[phase]) < _FEWEST or int(counts[phase]) <= 2 * int(others.max()):
        return None
    at = torch.arange(phase, step.shape[1], BLOCK, device=plane.device)
    at = at[(at >= BLOCK // 2 - 1) & (at < plane.shape[1] - BLOCK // 2)]
    common = size[:, at][isolated[:, at]].quantile(0.9)
    height = step[:, at] * (isolated[:, at] & (size[:, at] <= 1.5 * common))
    smooth = plane.clone()
    for i in range(BLOCK // 2):
        share = 0.5 - (i + 0.5) / BLOCK
        smooth[:, at - i] += share * height
        smooth[:, at + 1 + i] -= share * height
    return smooth
