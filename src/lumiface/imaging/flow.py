"""Motion between two pictures (OpenCV's DIS optical flow), and a picture moved by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.quantize import to_uint8


def optical_flow(one: Tensor, two: Tensor) -> Tensor:
    """Where each pixel of one picture lies in another.

    Args:
        one, two: (1, 3, H, W) in [0, 1], of one size; at least 12 pixels per side, which DIS needs.

    Returns:
        (H, W, 2): x and y, relative to the pixel itself, in pixels.
    """
    import cv2

    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [to_uint8(luma(picture))[0, 0].cpu().numpy() for picture in (one, two)]
    return torch.from_numpy(np.asarray(method.calc(*grey, None), dtype=np.float32))


def move_back(picture: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """The second picture of a flow, moved to where its parts are in the first.

    Args:
        picture: (1, C, H, W).
        flow: as of `optical_flow`.
        mode: of the interpolation, as of `grid_sample`; bicubic may leave the range of the values.
    """
    height, width = picture.shape[-2:]
    flow = flow.to(picture)
    down, across = (
        torch.arange(side, device=picture.device, dtype=picture.dtype) for side in (height, width)
    )
    x = (across[None, :] + flow[..., 0] + 0.5) * (2.0 / width) - 1.0
    y = (down[:, None] + flow[..., 1] + 0.5) * (2.0 / height) - 1.0
    grid = torch.stack([x, y], -1)[None]
    return F.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)
