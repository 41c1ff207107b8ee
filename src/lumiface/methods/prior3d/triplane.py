"""Tri-planes: density and colour of a head as features on three orthogonal planes.

Chan et al. 2022, "Efficient Geometry-aware 3D Generative Adversarial Networks" (EG3D), §4.1; the paper's
tri-plane prior uses this representation (§2.1).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings

_AXES = ((0, 1), (0, 2), (2, 1))
"""The world axes along each plane's width and height: xy, xz, zy."""


class TriPlaneConfig(Settings):
    """The size of the planes and of their decoder."""

    channels: int = Field(default=32, ge=4, description="C: channels of each plane")
    side: int = Field(default=256, ge=16, multiple_of=16, description="height and width of a plane, texels")
    half_side: float = Field(
        default=0.35,
        gt=0,
        description="the planes span [-half_side, half_side], world units (a head: ±0.35)",
    )
    hidden: int = Field(default=64, ge=8, description="width of the decoder's only hidden layer")


def sample_planes(planes: Tensor, points: Tensor, half_side: float) -> Tensor:
    """The features of points: the sum over the three planes at the points' projections.

    Args:
        planes: (B, 3, C, S, S): xy, xz and zy; the first row of pixels is the highest y (or z).
        points: (B, N, 3) in the world.
        half_side: the planes span [-half_side, half_side]; features of points outside are 0.

    Returns:
        (B, N, C).
    """
    batch, _, channels, side, _ = planes.shape
    position = points / half_side
    # The vertical axis is flipped, so that the xy plane is an upright image of the face.
    grids = [torch.stack([position[..., a], -position[..., b]], dim=-1) for a, b in _AXES]
    features = F.grid_sample(
        planes.reshape(batch * 3, channels, side, side),
        torch.stack(grids, dim=1).reshape(batch * 3, 1, -1, 2),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )  # (B·3, C, 1, N)
    return features.reshape(batch, 3, channels, -1).sum(dim=1).transpose(1, 2)


def mirror_planes(planes: Tensor) -> Tensor:
    """The mirrored face: rendered from `mirror_camera`'s camera it gives the mirrored image.

    Shape: (B, 3, C, S, S) -> the same.
    """
    xy, xz, zy = planes.unbind(dim=1)
    return torch.stack([xy.flip(-1), xz.flip(-1), zy], dim=1)


class PlaneDecoder(nn.Module):
    """A point's features -> its density (>= 0, per world unit) and its colour in (0, 1).

    Shape: (B, N, C) -> (B, N, 1) and (B, N, 3). EG3D's decoder: one hidden layer, softplus.
    """

    def __init__(self, config: TriPlaneConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(config.channels, config.hidden)
        self.out = nn.Linear(config.hidden, 4)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        out = self.out(F.softplus(self.hidden(features)))
        # Ten times the softplus: at the start of training a head half a unit deep is semi-transparent.
        density = 10.0 * F.softplus(out[..., :1] - 1.0)
        # Slightly beyond [0, 1], so that black and white are reachable (as EG3D, from Barron et al. 2021).
        return density, torch.sigmoid(out[..., 1:]) * 1.002 - 0.001
