"""EnlightenGAN: an attention-guided U-Net, trained without pairs against bright pictures of other scenes.

Jiang, Gong, Liu, Cheng, Fang, Shen, Yang, Zhou, Wang: "EnlightenGAN: Deep Light Enhancement without Paired
Supervision" (TIP 2021), §III. Small, written from the paper.

Exact: attention by the inverted light (1 - the largest channel) on every skip and on the output; relativistic
least-squares loss of the global discriminator, least-squares loss of the local one, on 5 patches of 32 px;
self feature preserving loss between the dark picture and its result, of instance-normalised VGG features;
Adam with β = (0.5, 0.999).
Deviations: 8 channels and 4 scales instead of 32 and 5; discriminators of 16 channels instead of 64, with 4
and 3 strided layers; VGG-19 up to relu3_1 instead of VGG-16 to relu5_1, at the whole picture alone; the
bright pictures are the targets of the other faces of the batch, so that both come from one set of faces.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.sizes import pad_to_multiple
from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.losses import VGGFeatures, perceptual_loss
from lumiface.methods.base_recipe import PairedRecipe


class EnlightenGANConfig(Settings):
    """The configuration of the generator; stored in every checkpoint."""

    channels: int = Field(default=8, ge=4, description="channels at full size, doubled per scale (paper 32)")
    halvings: int = Field(default=3, ge=1, description="number of times the size is halved (paper 4)")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


def _double(before: int, after: int) -> nn.Sequential:
    """Two 3x3 convolutions, each followed by LeakyReLU and batch normalisation (§III-C)."""
    layers: list[nn.Module] = []
    for inputs in (before, after):
        layers += [nn.Conv2d(inputs, after, 3, padding=1), nn.LeakyReLU(0.2), nn.BatchNorm2d(after)]
    return nn.Sequential(*layers)


class EnlightenGAN(nn.Module):
    """The attention-guided U-Net generator (Fig. 2): the dark picture plus a residual times the attention.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W), about [0, 1], not clipped.
    """

    def __init__(self, config: EnlightenGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels << level for level in range(config.halvings + 1)]
        self.encode = nn.ModuleList(_double(i, o) for i, o in zip([4, *widths], widths, strict=False))
        pairs = list(zip(widths[::-1], widths[-2::-1], strict=False))  # (deep, wide)
        self.up = nn.ModuleList(nn.Conv2d(deep, wide, 3, padding=1) for deep, wide in pairs)
        self.decode = nn.ModuleList(_double(2 * wide, wide) for _, wide in pairs)
        self.tail = nn.Conv2d(widths[0], 3, 1)

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        padded = pad_to_multiple(low, 1 << self.config.halvings)
        attention = 1.0 - padded.amax(dim=1, keepdim=True)
        x = torch.cat([padded, attention], dim=1)
        scales = [attention]
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            if level:
                x = F.max_pool2d(x, 2)
                scales.append(F.max_pool2d(scales[-1], 2))
            x = block(x)
            skips.append(x)
        x = skips.pop() * scales.pop()
        for up, block in zip(self.up, self.decode, strict=True):
            x = up(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
            x = block(torch.cat([x, skips.pop() * scales.pop()], dim=1))
        return (padded + attention * self.tail(x))[..., :height, :width]


def _patch_discriminator(channels: int, strided: int) -> nn.Sequential:
    """Strided 4x4 convolutions, the last two without stride: a map of scores."""
    widths = [3, *(channels << min(level, 3) for level in range(strided + 1))]
    layers: list[nn.Module] = []
    for level in range(strided + 1):
        stride = 2 if level < strided else 1
        layers += [nn.Conv2d(widths[level], widths[level + 1], 4, stride, padding=2), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=2))


class Discriminators(nn.Module):
    """The global and the local discriminator (§III-A).

    Shape: pictures (B, 3, H, W) and patches (N, 3, h, h) in about [0, 1] -> a map of scores of each.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.whole = _patch_discriminator(channels, 4)
        self.local = _patch_discriminator(channels, 3)

    def forward(self, pictures: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        return self.whole(2.0 * pictures - 1.0), self.local(2.0 * patches - 1.0)


class EnlightenGANRecipeConfig(Settings):
    """The settings of the losses; all weights are 1 in the paper (equation 7)."""

    preserving: float = Field(default=1.0, ge=0, description="weight of self feature preserving")
    adversarial: float = Field(default=1.0, ge=0, description="weight of both adversarial losses")
    discriminator_channels: int = Field(
        default=16, ge=4, description="channels of the discriminators' first layers (paper 64)"
    )
    patches: int = Field(default=5, ge=1, description="patches per picture for the local one (paper 5)")
    patch: int = Field(default=32, ge=8, description="their side, pixels (paper 32)")


class EnlightenGANRecipe(PairedRecipe):
    """L = L_SFP + L_G (global) + L_G (local), and the discriminators' own losses (equations 3-7).

    The training task gives the adversarial terms a batch of bright pictures of other faces.
    """

    betas = (0.5, 0.999)

    def __init__(self, config: EnlightenGANRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.vgg = VGGFeatures()

    def build_discriminator(self) -> Discriminators:
        """The second network of the training, untrained."""
        return Discriminators(self.config.discriminator_channels)

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss without a discriminator: the result keeps the dark picture's features.

        Args:
            output, low: (B, 3, H, W), H and W >= 8.
            target, boxes: not used: there are no pairs.
        """
        with torch.no_grad():
            wanted = [F.instance_norm(features) for features in self.vgg(low)[-1:]]
        kept = [F.instance_norm(features) for features in self.vgg(output)[-1:]]
        return {"preserving": self.config.preserving * perceptual_loss(kept, wanted)}

    def generator_terms(
        self, discriminator: nn.Module, output: Tensor, bright: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """The generator's adversarial terms; `output` and `bright` (B, 3, H, W) show different faces."""
        fake, fake_patches = discriminator(output, self._patches(output, rng))
        with torch.no_grad():
            real, _ = discriminator(bright, self._patches(bright, rng))
        whole = 0.5 * (
            (fake - real.mean() - 1.0).square().mean() + (real - fake.mean()).square().mean()
        )  # equation 4, with expectations over the batch
        local = (fake_patches - 1.0).square().mean()  # equation 6
        weight = self.config.adversarial
        return {"global": weight * whole, "local": weight * local}

    def discriminator_terms(
        self, discriminator: nn.Module, output: Tensor, bright: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """The discriminators' losses; `output` is cut off from the generator by the caller."""
        real, real_patches = discriminator(bright, self._patches(bright, rng))
        fake, fake_patches = discriminator(output, self._patches(output, rng))
        whole = 0.5 * (
            (real - fake.mean() - 1.0).square().mean() + (fake - real.mean()).square().mean()
        )  # equation 3
        local = 0.5 * ((real_patches - 1.0).square().mean() + fake_patches.square().mean())  # equation 5
        return {"discriminator_global": whole, "discriminator_local": local}

    def _patches(self, pictures: Tensor, rng: np.random.Generator) -> Tensor:
        """Random squares of each picture, (patches·B, 3, h, h); the same places in all of them."""
        height, width = pictures.shape[-2:]
        side = self.config.patch
        if side > min(height, width):
            raise SettingError(f"recipe.patch: {side} px of pictures of {height}x{width}")
        places = zip(
            rng.integers(height - side + 1, size=self.config.patches).tolist(),
            rng.integers(width - side + 1, size=self.config.patches).tolist(),
            strict=True,
        )
        return torch.cat([pictures[..., y : y + side, x : x + side] for y, x in places])
