"""Enhancers from before the networks: a power, an equalised histogram, a light map. Nothing in them learns.

Mean gamma: each picture raised to the power that brings its mean to where it is wanted.
CLAHE: Zuiderveld, "Contrast Limited Adaptive Histogram Equalization" (Graphics Gems IV, 1994), by OpenCV, on
the lightness of CIELAB. It works on 8-bit lightness, as OpenCV's does, and outside of torch: no gradient goes
through it, and it does not export to ONNX.
LIME: Guo, Li, Ling, "LIME: Low-Light Image Enhancement via Illumination Map Estimation" (TIP 2017). Exact:
light as the largest channel, the power 0.8 on it, the division. Deviations: a guided filter instead of the
paper's weighted total variation (`NOTE(paper)` below), and no BM3D after it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.imaging.filters import guided_filter
from lumiface.imaging.mean_gamma import mean_gamma

_TILE = 16
"""Least side of CLAHE's tiles in pixels: the histogram of fewer says nothing, and turns black into grey."""


class GammaConfig(Settings):
    """What defines one mean gamma."""

    mean: float = Field(default=0.5, gt=0, lt=1, description="the mean over all channels that is wanted")
    scale: Literal[1] = Field(default=1, description="the picture keeps its size")


class GammaEnhancer(nn.Module):
    """x^γ, with each picture's own γ.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].
    """

    def __init__(self, config: GammaConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        return low.clamp(min=0.0) ** mean_gamma(low, self.config.mean)[:, None, None, None]


class CLAHEConfig(Settings):
    """What defines one CLAHE."""

    clip: float = Field(
        default=2.0,
        gt=0,
        description="share of a histogram's bin, over the even share, above which it is cut",
    )
    tiles: int = Field(default=8, ge=1, description="most tiles along a side, each with its own histogram")
    scale: Literal[1] = Field(default=1, description="the picture keeps its size")


class CLAHEEnhancer(nn.Module):
    """OpenCV's CLAHE on the lightness of each picture; the colours a and b of CIELAB stay.

    A picture of fewer than 16 pixels a side is left as it is.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].
    """

    def __init__(self, config: CLAHEConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        pictures = low.detach().float().clamp(0.0, 1.0).permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, 3)
        lit = np.stack([self._equalise(picture) for picture in pictures])
        return torch.from_numpy(lit).permute(0, 3, 1, 2).to(low)

    def _equalise(self, picture: np.ndarray) -> np.ndarray:
        """One (H, W, 3) float32 RGB in [0, 1] -> the same."""
        import cv2

        if min(picture.shape[:2]) < _TILE:
            return picture
        lab = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2Lab)
        rows, columns = (min(self.config.tiles, side // _TILE) for side in picture.shape[:2])
        clahe = cv2.createCLAHE(self.config.clip, (columns, rows))
        lightness = np.rint(lab[..., 0] * 2.55).astype(np.uint8)  # L is 0..100
        lab[..., 0] = clahe.apply(lightness).astype(np.float32) / 2.55
        return cv2.cvtColor(lab, cv2.COLOR_Lab2RGB).clip(0.0, 1.0)


class LIMEConfig(Settings):
    """What defines one LIME."""

    gamma: float = Field(default=0.8, gt=0, le=1, description="γ: power on the light map (paper 0.8)")
    radius: float = Field(
        default=1 / 16, gt=0, le=0.5, description="of the smoothing, over the picture's shorter side"
    )
    epsilon: float = Field(
        default=0.1, gt=0, description="variance of the light, over its mean's square, that is an edge"
    )
    floor: float = Field(default=0.01, gt=0, lt=1, description="the least light that is divided by")
    scale: Literal[1] = Field(default=1, description="the picture keeps its size")


class LIMEEnhancer(nn.Module):
    """T̂ = max over R, G, B; T = T̂ made even; result L / T^γ.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].
    """

    def __init__(self, config: LIMEConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        light = low.amax(dim=1, keepdim=True)  # (B, 1, H, W)
        mean = light.mean(dim=(2, 3), keepdim=True).clamp(min=self.config.floor)
        radius = max(1, round(min(low.shape[-2:]) * self.config.radius))
        relative = light / mean
        # NOTE(paper): there T minimises |T̂ - T|² + α|W ∇T| by a sparse linear system as large as the picture;
        # a guided filter, led by T̂ itself, also keeps the edges of the light and evens the rest, in a pass.
        even = guided_filter(relative, relative, radius, self.config.epsilon) * mean
        return (low / even.clamp(min=self.config.floor) ** self.config.gamma).clamp(0.0, 1.0)
