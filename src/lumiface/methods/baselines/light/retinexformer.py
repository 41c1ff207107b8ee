"""RetinexFormer: an estimate of the light guides a transformer that removes what brightening brings out.

Cai, Bian, Lin, Wang, Timofte, Zhang: "Retinexformer: One-stage Retinex-based Transformer for Low-light Image
Enhancement" (ICCV 2023), §3. The network is spandrel's (the package, MIT), which is the authors' own; this
file adapts it to our interface. Weights are initialised randomly: nothing pretrained is loaded.

Exact: one stage; the light's estimator; attention among channels, multiplied by features of the light.
Deviations: 8 channels instead of 40, one block per scale instead of 1, 2 and 2; replicate
instead of reflection padding.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.blocks.sizes import pad_to_multiple
from lumiface.core.settings import Settings

MULTIPLE = 4
"""The network halves the size twice."""


class RetinexFormerConfig(Settings):
    """The configuration of a RetinexFormer; stored in every checkpoint."""

    channels: int = Field(default=8, ge=4, description="channels at full size, a multiple of 4 (paper 40)")
    stages: int = Field(default=1, ge=1, description="networks one after another (paper 1)")
    blocks: tuple[int, int, int] = Field(
        default=(1, 1, 1), description="attention blocks at full, half and quarter size (paper 1, 2, 2)"
    )
    scale: Literal[1] = Field(default=1, description="the image keeps its size")

    @field_validator("channels")
    @classmethod
    def _groups_divide_channels(cls, channels: int) -> int:
        if channels % 4:
            raise ValueError(f"{channels} is not a multiple of 4, the groups of the light's estimator")
        return channels


class RetinexFormer(nn.Module):
    """spandrel's RetinexFormer with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: RetinexFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.body: Any = load_architecture("retinexformer", "RetinexFormer")(
            n_feat=config.channels, stage=config.stages, num_blocks=list(config.blocks)
        )

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        return self.body(pad_to_multiple(low, MULTIPLE))[..., :height, :width]
