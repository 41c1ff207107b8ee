"""Networks in sequence: low-light enhancement and super-resolution, in either order."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings


class ChainConfig(Settings):
    """The configuration of a chain."""

    scale: int = Field(ge=1, description="upscaling factor: product of the stages' scales")


class Chain(nn.Module):
    """Each stage receives the previous one's output, clipped to [0, 1] (LFSRNet, section 3.4: "DLN + X").

    Shape: (B, 3, h, w) in [0, 1] -> (B, 3, s·h, s·w), about [0, 1], not clipped; s is the product of scales.
    """

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        scale = 1
        for stage in stages:
            config: Any = stage.config
            scale *= config.scale
        self.config = ChainConfig(scale=scale)

    def forward(self, low: Tensor) -> Tensor:
        for stage in self.stages:
            low = stage(low.clamp(0.0, 1.0))
        return low
