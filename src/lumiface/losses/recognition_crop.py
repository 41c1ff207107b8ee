"""What face recognisers receive of an aligned face: ArcFace's crop, lit to an even mean."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.mean_gamma import mean_gamma

SIDE = 112
"""Height and width of a recogniser's input, pixels."""

BOX = (0.118, 0.113, 0.882, 0.877)
"""ArcFace's crop of a face aligned as in FFHQ: x1, y1, x2, y2 in the unit square."""

EXPOSURE = 0.45
"""Mean over the pixels and channels of a crop to which faces are lit: that of normally lit ones."""

_COARSE = 16
"""Side of the reduced crop on which the gamma curve is found; more pixels have nearly the same mean."""


def recognition_crop(faces: Tensor) -> Tensor:
    """ArcFace's crop of faces aligned as in FFHQ: (B, 3, S, S) in [0, 1] -> (B, 3, 112, 112) in [0, 1]."""
    size = faces.shape[-1]
    left, top, right, bottom = (round(size * edge) for edge in BOX)
    crop = faces[:, :, top:bottom, left:right]
    antialias = crop.shape[-1] > SIDE
    crop = F.interpolate(crop, size=(SIDE, SIDE), mode="bicubic", align_corners=False, antialias=antialias)
    return crop.clamp(0.0, 1.0)


def equalise_exposure(crops: Tensor, mean: float | Tensor = EXPOSURE) -> Tensor:
    """Crops (B, 3, H, W) in [0, 1], each lit by one gamma curve so that its mean is `mean`."""
    coarse = F.interpolate(crops, size=(_COARSE, _COARSE), mode="area")
    return crops.clamp(min=0.0).pow(mean_gamma(coarse, mean)[:, None, None, None])
