"""An image pyramid for square crops of any size from any picture of a batch, in one gather."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class ImagePyramid:
    """The pictures (B, 3, H, W) of a batch and their halvings in one flat array of pixels.

    A crop is sampled bilinearly from the level whose pixel size is closest to its own, so a large face is not
    aliased and a small one not blurred, and candidates of all sizes share one call.
    """

    def __init__(self, pictures: Tensor) -> None:
        levels = [pictures]
        while max(levels[-1].shape[-2:]) > 48:
            levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
        self.pixels = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, 3) for level in levels])
        sizes = [(level.shape[-2], level.shape[-1]) for level in levels]
        counts = [pictures.shape[0] * height * width for height, width in sizes]
        self.start = torch.tensor([sum(counts[:i]) for i in range(len(counts))], device=pictures.device)
        self.sizes = torch.tensor(sizes, device=pictures.device)

    def crop(self, index: Tensor, boxes: Tensor, side: int) -> Tensor:
        """Square boxes (N, 4), x1 y1 x2 y2 in pixel-edge coordinates of the pictures `index` (N,) int64
        -> (N, 3, side, side). Outside the picture the crop is 0."""
        shrink = ((boxes[:, 2] - boxes[:, 0]) / side).clamp(min=1.0)
        level = shrink.log2().add(0.25).floor().long().clamp(max=len(self.start) - 1)
        at_level = boxes / (2.0**level)[:, None]
        height, width = self.sizes[level].unbind(1)
        step = (torch.arange(side, device=boxes.device) + 0.5) / side
        x = at_level[:, 0:1] + step * (at_level[:, 2:3] - at_level[:, 0:1]) - 0.5  # (N, side)
        y = at_level[:, 1:2] + step * (at_level[:, 3:4] - at_level[:, 1:2]) - 0.5
        base = self.start[level] + index * height * width
        left, right, right_weight, x_inside = _neighbours(x, width)
        upper, lower, lower_weight, y_inside = _neighbours(y, height)
        upper, lower = upper * width[:, None], lower * width[:, None]

        def row(vertical: Tensor) -> Tensor:
            start = (base[:, None] + vertical)[:, :, None]
            first, second = (self.pixels[start + column[:, None, :]] for column in (left, right))
            return first.lerp(second, right_weight[:, None, :, None])  # (N, side, side, 3)

        crops = row(upper).lerp(row(lower), lower_weight[:, :, None, None])
        inside = (y_inside[:, :, None] & x_inside[:, None, :])[..., None]
        return (crops * inside).permute(0, 3, 1, 2)


def _neighbours(position: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sample positions (N, S) in pixel centres -> the two pixels, the second's weight, and "is inside"."""
    last = (size - 1)[:, None].to(position.dtype)
    inside = (position >= -0.5) & (position <= last + 0.5)
    position = position.clamp(min=0.0).minimum(last)
    first = position.floor()
    return first.long(), (first + 1.0).minimum(last).long(), position - first, inside
