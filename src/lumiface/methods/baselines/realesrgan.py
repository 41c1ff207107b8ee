"""Real-ESRGAN's compact network: plain convolutions at low resolution, pixel shuffle at the end.

Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data"
(ICCVW 2021). The paper's network is ESRGAN's (`esrgan`); this is the small one that its authors publish
beside it (SRVGGNetCompact), as spandrel (the package, MIT) has it. Weights are initialised randomly:
nothing pretrained is loaded.

Exact: layers, PReLU per channel, the picture enlarged by nearest neighbours that the network corrects.
Deviations: 32 channels and 8 convolutions instead of 64 and 16 or 32; trained on our pairs with the mean
absolute difference instead of the paper's two rounds of damage and adversarial loss.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.core.settings import Settings


class RealESRGANConfig(Settings):
    """The configuration of a compact Real-ESRGAN; stored in every checkpoint."""

    channels: int = Field(default=32, ge=8, description="channels of all features (published 64)")
    layers: int = Field(default=8, ge=1, description="convolutions between first and last (published 16, 32)")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")


class RealESRGAN(nn.Module):
    """spandrel's SRVGGNetCompact with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: RealESRGANConfig) -> None:
        super().__init__()
        self.config = config
        self.body: Any = load_architecture("realesrgan", "Compact")(
            num_feat=config.channels, num_conv=config.layers, upscale=config.scale
        )

    def forward(self, low: Tensor) -> Tensor:
        return self.body(low)
