"""HVI-CIDNet: brightness and colour enhanced by two branches, in a colour space for dark pictures.

Yan, Feng, Zhang, Pang, Shi, Wu, Dong, Sun, Zhang: "HVI: A New Color Space for Low-light Image Enhancement"
(CVPR 2025), §3-4. The two branches are spandrel's (the package, MIT), which are the authors' own; the colour
space is written here from the paper's formulas. Weights are initialised randomly: nothing pretrained is
loaded.

Exact: order of the layers, lightweight cross-attention, the colour space with its trained density k.
Deviations: 12 channels instead of 36; the block `I_LCA5`, whose output the authors' code drops, is left out;
trained with the mean absolute difference alone; the inverse transform passes no gradient at exact grey, where
the authors' square root has an infinite one.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from lumiface.blocks.peers import load_architecture
from lumiface.blocks.sizes import pad_to_multiple
from lumiface.core.settings import Settings

EPS = 1e-8
MULTIPLE = 8
"""The network halves the size three times."""


class HVICIDNetConfig(Settings):
    """The configuration of an HVI-CIDNet; stored in every checkpoint."""

    channels: int = Field(
        default=12, ge=8, description="channels at full size, a multiple of 4; 2 and 4 times as many below "
        "(paper 36)"
    )  # fmt: skip
    scale: Literal[1] = Field(default=1, description="the image keeps its size")

    @field_validator("channels")
    @classmethod
    def _heads_divide_channels(cls, channels: int) -> int:
        if channels % 4:
            raise ValueError(f"{channels} is not a multiple of 4; the attention has up to 8 heads")
        return channels


class HVITransform(nn.Module):
    """RGB <-> HVI (§3): hue and saturation as a point of a disc, whose radius shrinks where it is dark.

    Attributes:
        density_k: (1,), exponent of the disc's radius; trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.density_k = nn.Parameter(torch.full((1,), 0.2))

    def HVIT(self, image: Tensor) -> Tensor:  # noqa: N802 (spandrel's name: its network calls it)
        """(B, 3, H, W) RGB in [0, 1] -> (B, 3, H, W): horizontal, vertical in [-1, 1], intensity."""
        red, green, blue = image.unbind(1)
        value, least = image.amax(1), image.amin(1)
        chroma = value - least
        ratio = chroma + EPS
        hue = torch.where(
            red == value,
            ((green - blue) / ratio) % 6.0,
            torch.where(green == value, 2.0 + (blue - red) / ratio, 4.0 + (red - green) / ratio),
        )
        angle = torch.where(chroma == 0, 0.0, hue) * (math.pi / 3.0)
        radius = self._radius(value, self.density_k) * chroma / (value + EPS)
        return torch.stack([radius * angle.cos(), radius * angle.sin(), value], dim=1)

    def PHVIT(self, image: Tensor) -> Tensor:  # noqa: N802 (spandrel's name)
        """(B, 3, H, W) HVI -> (B, 3, H, W) RGB in [0, 1]; points outside the solid are clamped into it."""
        horizontal, vertical = image[:, 0].clamp(-1.0, 1.0), image[:, 1].clamp(-1.0, 1.0)
        value = image[:, 2].clamp(0.0, 1.0)
        # As in the authors' code, k is trained by the way in alone.
        radius = self._radius(value, self.density_k.detach()) + EPS
        x, y = (horizontal / radius).clamp(-1.0, 1.0), (vertical / radius).clamp(-1.0, 1.0)
        grey = x.square() + y.square() < EPS**1.5
        # Neither the angle nor the square root has a gradient at 0, not even one that is multiplied by 0.
        x, y = torch.where(grey, 1.0, x), torch.where(grey, 0.0, y)
        saturation = torch.where(grey, 0.0, (x.square() + y.square()).sqrt()).clamp(0.0, 1.0)
        hue = (torch.atan2(y, x) * (3.0 / math.pi)) % 6.0
        distances = ((hue + shift) % 6.0 for shift in (5.0, 3.0, 1.0))  # red, green, blue
        parts = [torch.minimum(k, 4.0 - k).clamp(0.0, 1.0) for k in distances]
        return torch.stack([value - value * saturation * part for part in parts], dim=1)

    @staticmethod
    def _radius(value: Tensor, k: Tensor) -> Tensor:
        return ((value * (0.5 * math.pi)).sin() + EPS).pow(k)


class _First(nn.Module):
    """Takes the place of a block whose output is not used."""

    def forward(self, features: Tensor, _other: Tensor) -> Tensor:
        return features


class HVICIDNet(nn.Module):
    """spandrel's HVI-CIDNet with our interface; its weights have the prefix `body.`.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1].

    Raises:
        SettingError: the package spandrel is not installed.
    """

    def __init__(self, config: HVICIDNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.body: Any = load_architecture("hvi-cidnet", "HVICIDNet")(
            channels=[channels, channels, 2 * channels, 4 * channels], heads=[1, 2, 4, 8], norm=False
        )
        self.body.I_LCA5 = _First()
        self.body.trans = HVITransform()

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        return self.body(pad_to_multiple(low, MULTIPLE))[..., :height, :width]
