"""Bicubic upscaling, the baseline of super-resolution.

Keys, "Cubic Convolution Interpolation for Digital Image Processing" (IEEE TASSP 1981), a = -0.5 as in MATLAB.
It has no parameters; after a low-light enhancer it gives the chain of that enhancer alone.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.degradations.resample import resize


class BicubicConfig(Settings):
    """The configuration of bicubic upscaling."""

    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")


class Bicubic(nn.Module):
    """Shape: (B, 3, h, w), any size -> (B, 3, s·h, s·w), not clipped."""

    def __init__(self, config: BicubicConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, low: Tensor) -> Tensor:
        return resize(low, (low.shape[-2] * self.config.scale, low.shape[-1] * self.config.scale))
