"""GFPGAN: a U-Net that modulates the features of a face generator.

Wang, Li, Zhang, Shan: "Towards Real-World Blind Face Restoration with Generative Facial Prior" (CVPR 2021),
§3. The network is spandrel's (the package, MIT), which is the authors' own of version 1 without CUDA
extensions ("clean"); this file builds it at the resolution of our faces. Weights are initialised randomly.

Exact: U-Net, latents W+ from its bottom, spatial feature transform of half of the channels at each scale.
Deviations: 64 px instead of 512, an eighth of the channels, latents of 128. The generator is trained from
scratch with the rest: it enlarges bilinearly, where `stylegan2-64`, which ships, has StyleGAN2's filters and
other widths, so those weights do not fit. So it lacks the pretrained prior that gives the method its name.
Trained with the mean absolute difference alone: no pyramid, adversarial, component or identity loss. Noise is
fixed instead of drawn.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.blocks.sizes import resize_bilinear
from lumiface.core.settings import PowerOfTwo, Settings


class GFPGANConfig(Settings):
    """The configuration of a GFPGAN; stored in every checkpoint."""

    resolution: PowerOfTwo = Field(
        default=64, ge=64, le=1024, description="size of the faces, a power of two (paper 512)"
    )
    narrow: float = Field(
        default=0.125, gt=0, le=1, description="the generator's channels, relative to the paper's 512"
    )
    latent: int = Field(default=128, ge=16, description="length of each latent (paper 512)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class GFPGAN(nn.Module):
    """spandrel's GFPGAN with our interface; its weights have the prefix `body.`.

    Images of another size are resized to the network's resolution, and back.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped.

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: GFPGANConfig) -> None:
        super().__init__()
        self.config = config
        self.body: Any = load_architecture("gfpgan", "GFPGAN")(
            out_size=config.resolution,
            num_style_feat=config.latent,
            narrow=config.narrow,
            input_is_latent=True,
            different_w=True,
            sft_half=True,
        )
        # The mapping network and the outputs of the pyramid loss are not used: they would not be trained.
        self.body.stylegan_decoder.style_mlp = nn.Identity()
        self.body.toRGB = nn.ModuleList()
        # Without their first dimension of 1 its convolution weights can be laid out as others are.
        for layer in self.body.stylegan_decoder.modules():
            if hasattr(layer, "modulation"):
                layer.weight = nn.Parameter(layer.weight.detach()[0])

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """As of `nn.Module`, but weights keep the plain layout: the authors' code views them as one."""
        super()._apply(fn, recurse)
        for value in self.parameters():
            # A clone: weights of 1x1 count as contiguous in either layout.
            value.data = value.data.clone(memory_format=torch.contiguous_format)
        return self

    def forward(self, image: Tensor) -> Tensor:
        resolution = self.config.resolution
        height, width = image.shape[-2:]
        face = (2.0 * resize_bilinear(image, (resolution, resolution)) - 1.0).contiguous()
        restored, _ = self.body(face, return_rgb=False, randomize_noise=False)
        return resize_bilinear(0.5 * (restored + 1.0), (height, width))
