"""Pictures of any size for networks that halve the size several times, or work at one size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(picture: Tensor, multiple: int) -> Tensor:
    """(B, C, H, W) -> the same, its last row and column repeated until H and W are multiples of `multiple`.

    Replicate padding: reflection needs a picture larger than the padding, and zeros are dark.
    """
    height, width = picture.shape[-2:]
    if height % multiple == 0 and width % multiple == 0:
        return picture
    return F.pad(picture, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def resize_bilinear(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) -> (B, C, *size), bilinear with antialiasing; unchanged where it has that size."""
    if picture.shape[-2:] == size:
        return picture
    return F.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=True)
