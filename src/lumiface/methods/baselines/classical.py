"""Classical low-light enhancers without parameters: gamma, CLAHE, LIME.

Mean gamma: each image to the power that brings its mean to a target.
CLAHE: Zuiderveld, "Contrast Limited Adaptive Histogram Equalization" (Graphics Gems IV, 1994), by OpenCV, on
the lightness of CIELAB. It works on 8-bit lightness, as OpenCV does, and outside of torch: it has no gradient
and does not export to ONNX.
LIME: Guo, Li, Ling, "LIME: Low-Light Image Enhancement via Illumination Map Estimation" (TIP 2017). Exact:
illumination as the maximum over channels, its power 0.8, the division. Deviations: a guided filter instead
of the paper's weighted total variation (`NOTE(paper)` below), and no BM3D after it.
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
"""Minimum size of CLAHE's tiles in pixels: histograms of smaller ones are unreliable and turn black grey."""


class GammaConfig(Settings):
    """The configuration of mean gamma."""

    mean: float = Field(default=0.5, gt=0, lt=1, description="target of the mean over all channels")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class GammaEnhancer(nn.Module):
    """x^γ, with a γ per image.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].
    """

    def __init__(self, config: GammaConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        return low.clamp(min=0.0) ** mean_gamma(low, self.config.mean)[:, None, None, None]


class CLAHEConfig(Settings):
    """The configuration of CLAHE."""

    clip: float = Field(
        default=2.0,
        gt=0,
        description="clip limit of a histogram bin, relative to a uniform histogram",
    )
    tiles: int = Field(
        default=8, ge=1, description="number of tiles along each side, at most; each has its own histogram"
    )
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class CLAHEEnhancer(nn.Module):
    """OpenCV's CLAHE on the lightness of each image; a and b of CIELAB are kept.

    Images smaller than 16 pixels are returned unchanged.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].
    """

    def __init__(self, config: CLAHEConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        images = low.detach().float().clamp(0.0, 1.0).permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, 3)
        output = np.stack([self._equalise(image) for image in images])
        return torch.from_numpy(output).permute(0, 3, 1, 2).to(low)

    def _equalise(self, image: np.ndarray) -> np.ndarray:
        """One (H, W, 3) float32 RGB in [0, 1] -> the same."""
        import cv2

        if min(image.shape[:2]) < _TILE:
            return image
        lab = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2Lab)
        rows, columns = (min(self.config.tiles, size // _TILE) for size in image.shape[:2])
        clahe = cv2.createCLAHE(self.config.clip, (columns, rows))
        lightness = np.rint(lab[..., 0] * 2.55).astype(np.uint8)  # L is 0..100
        lab[..., 0] = clahe.apply(lightness).astype(np.float32) / 2.55
        return cv2.cvtColor(lab, cv2.COLOR_Lab2RGB).clip(0.0, 1.0)


class LIMEConfig(Settings):
    """The configuration of LIME."""

    gamma: float = Field(default=0.8, gt=0, le=1, description="γ: power of the illumination map (paper 0.8)")
    radius: float = Field(
        default=1 / 16,
        gt=0,
        le=0.5,
        description="radius of the smoothing, relative to the image's shorter side",
    )
    epsilon: float = Field(
        default=0.1,
        gt=0,
        description="variance of the illumination, relative to its squared mean, that counts as an edge",
    )
    floor: float = Field(
        default=0.01, gt=0, lt=1, description="lower limit of the illumination before the division"
    )
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class LIMEEnhancer(nn.Module):
    """T̂ = max over R, G, B; T = T̂ smoothed; output L / T^γ.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].
    """

    def __init__(self, config: LIMEConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        illumination = low.amax(dim=1, keepdim=True)  # (B, 1, H, W)
        mean = illumination.mean(dim=(2, 3), keepdim=True).clamp(min=self.config.floor)
        radius = max(1, round(min(low.shape[-2:]) * self.config.radius))
        relative = illumination / mean
        # NOTE(paper): there T minimises |T̂ - T|² + α|W ∇T| by a sparse linear system of the image's size; a
        # guided filter with T̂ as its own guide also smooths T̂ while keeping its edges, in one pass.
        smooth = guided_filter(relative, relative, radius, self.config.epsilon) * mean
        return (low / smooth.clamp(min=self.config.floor) ** self.config.gamma).clamp(0.0, 1.0)
