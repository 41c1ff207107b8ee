"""ESRGAN's network: dense blocks within residual blocks, enlarged by nearest neighbours and convolutions.

Wang, Yu, Wu, Gu, Liu, Dong, Qiao, Loy: "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks"
(ECCVW 2018), §3.1. The network is spandrel's RRDBNet (the package, MIT); this file adapts it to our
interface. Weights are initialised randomly: nothing pretrained is loaded.

Exact: the dense block of five layers that grow by 32 channels, three per residual block, factor 0.2.
Deviations: 32 channels and 3 blocks instead of 64 and 23; trained with the mean absolute difference, as the
paper's first stage (PSNR-oriented), without the adversarial and perceptual second one.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.core.settings import Settings


class ESRGANConfig(Settings):
    """The configuration of an ESRGAN; stored in every checkpoint."""

    channels: int = Field(default=32, ge=8, description="channels of all features (paper 64)")
    blocks: int = Field(default=3, ge=1, description="number of RRDBs (paper 23)")
    scale: Literal[2, 4, 8] = Field(default=4, description="s: upscaling factor")


class ESRGAN(nn.Module):
    """spandrel's RRDBNet with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, h, w) in [0, 1], any size -> (B, 3, s·h, s·w), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: ESRGANConfig) -> None:
        super().__init__()
        self.config = config
        self.body: Any = load_architecture("esrgan", "ESRGAN")(
            num_filters=config.channels, num_blocks=config.blocks, scale=config.scale
        )

    def forward(self, low: Tensor) -> Tensor:
        return self.body(low)
