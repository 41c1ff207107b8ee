"""RestoreFormer: features of the degraded face attend to entries of a dictionary of faces.

Wang, Zhang, Chen, Wang, Luo: "RestoreFormer: High-Quality Blind Face Restoration from Undegraded Key-Value
Pairs" (CVPR 2022), §3. The network is spandrel's (the package, MIT), which is the authors' own; this file
builds it at the resolution of our faces. Weights are initialised randomly: nothing pretrained is loaded.

Exact: encoder, nearest entries of the dictionary, cross-attention at the smallest scale, decoder.
Deviations: 64 px instead of 512, 32 channels instead of 64, four scales instead of six, 256 entries of 64
instead of 1024 of 256. The dictionary is trained with the rest instead of before it on undegraded faces.
Trained with the mean absolute difference and the dictionary's loss: no perceptual, adversarial or identity
loss.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.blocks.sizes import resize_bilinear
from lumiface.core.settings import PowerOfTwo, Settings
from lumiface.losses import l1_loss
from lumiface.methods.base_recipe import PairedRecipe


class RestoreFormerConfig(Settings):
    """The configuration of a RestoreFormer; stored in every checkpoint."""

    resolution: PowerOfTwo = Field(
        default=64, ge=64, le=1024, description="size of the faces, a power of two (paper 512)"
    )
    channels: int = Field(
        default=32, ge=32, multiple_of=32, description="channels at full size, a multiple of 32 (paper 64)"
    )
    multipliers: tuple[int, ...] = Field(
        default=(1, 2, 2, 4),
        min_length=2,
        max_length=6,
        description="channels per scale, relative to `channels` (paper 1, 2, 2, 4, 4, 8)",
    )
    blocks: int = Field(default=1, ge=1, description="residual blocks per scale (paper 2)")
    entries: int = Field(default=256, ge=2, description="entries of the dictionary (paper 1024)")
    entry: int = Field(default=64, ge=4, description="length of each entry (paper 256)")
    heads: int = Field(default=8, ge=1, description="attention heads (paper 8)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class RestoreFormer(nn.Module):
    """spandrel's RestoreFormer with our interface; its weights have the prefix `body.`.

    Images of another size are resized to the network's resolution, and back.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped; in training
    (2·B, 3, H, W): the images, then the dictionary's loss as B pictures of one value.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: RestoreFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.body: Any = load_architecture("restoreformer", "RestoreFormer")(
            n_embed=config.entries,
            embed_dim=config.entry,
            ch=config.channels,
            ch_mult=config.multipliers,
            num_res_blocks=config.blocks,
            attn_resolutions=(config.resolution >> (len(config.multipliers) - 1),),
            resolution=config.resolution,
            z_channels=config.entry,
            fix_codebook=False,
            head_size=config.heads,
        )
        # In self-attention the norm of the other input is not used: it would not be trained.
        for block in self.body.encoder.modules():
            if hasattr(block, "norm2") and hasattr(block, "proj_out"):
                block.norm2 = nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        resolution = self.config.resolution
        height, width = image.shape[-2:]
        face = 2.0 * resize_bilinear(image, (resolution, resolution)) - 1.0
        entries, loss, _, features = self.body.encode(face)
        restored = 0.5 * (self.body.decode(entries, features) + 1.0)
        output = resize_bilinear(restored, (height, width))
        return torch.cat([output, loss.expand_as(output)]) if self.training else output


class RestoreFormerRecipeConfig(Settings):
    """The settings of the loss."""

    dictionary: float = Field(
        default=1.0, ge=0, description="weight of the distance between features and their nearest entries"
    )


class RestoreFormerRecipe(PairedRecipe):
    """Mean absolute difference, and the vector quantisation's own loss (§3.3)."""

    def __init__(self, config: RestoreFormerRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss terms by name; their sum is minimised.

        Args:
            output: (2·B, 3, H, W), the network's output in training.
            target: (B, 3, H, W).
            low, boxes: not used.
        """
        restored, dictionary = output.chunk(2)
        return {
            "l1": l1_loss(restored, target),
            "dictionary": self.config.dictionary * dictionary.mean(),
        }
