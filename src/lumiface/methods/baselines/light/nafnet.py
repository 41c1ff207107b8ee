"""NAFNet: a U-Net of gated convolutions without activation functions.

Chen, Chu, Zhang, Sun: "Simple Baselines for Image Restoration" (ECCV 2022), §4. The network is spandrel's
(the package, MIT), which is the authors' own; this file adapts it to our interface. Weights are initialised
randomly: nothing pretrained is loaded.

It stands in for the class of UHDformer (Wang et al., AAAI 2024), a restoration network in the form of a U-Net
with attention among channels, of which no free implementation was found. It is not UHDformer, and its scores
say nothing of UHDformer's.

Exact: the block; skips by addition; the residual to the input.
Deviations: 16 channels and one block per scale at four scales, where the published network for denoising has
32 channels and 2, 2, 4, 8 blocks, 12 in the middle and 2 per scale on the way up; torch's layer norm takes
the place of the authors' own, with equal values; replicate padding.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.layer_norm import LayerNorm2d
from lumiface.blocks.peers import load_architecture
from lumiface.blocks.sizes import pad_to_multiple
from lumiface.core.settings import Settings

EPS = 1e-6


class NAFNetConfig(Settings):
    """The configuration of a NAFNet; stored in every checkpoint."""

    channels: int = Field(default=16, ge=4, description="channels at full size, doubled per scale (paper 32)")
    encoder_blocks: tuple[int, ...] = Field(
        default=(1, 1, 1), min_length=1, description="blocks per scale on the way down (paper 2, 2, 4, 8)"
    )
    middle_blocks: int = Field(default=1, ge=1, description="blocks at the smallest scale (paper 12)")
    decoder_blocks: int = Field(default=1, ge=1, description="blocks per scale on the way up (paper 2)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class NAFNet(nn.Module):
    """spandrel's NAFNet with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__()
        self.config = config
        self.body: Any = load_architecture("nafnet", "NAFNet")(
            width=config.channels,
            middle_blk_num=config.middle_blocks,
            enc_blk_nums=list(config.encoder_blocks),
            dec_blk_nums=[config.decoder_blocks] * len(config.encoder_blocks),
        )
        # The authors' norm is a function with its own derivative, which is not exported.
        for block in list(self.body.modules()):
            for name in ("norm1", "norm2"):
                if (norm := getattr(block, name, None)) is not None:
                    ours = LayerNorm2d(len(norm.weight))
                    ours.eps = EPS
                    setattr(block, name, ours)

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        padded = pad_to_multiple(low, 2 ** len(self.config.encoder_blocks))
        return self.body(padded)[..., :height, :width]
