"""Perceptual loss: distance in the features of VGG-19.

Johnson, Alahi, Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", §3.2, on
the channel-normalised VGG-19 of Gatys et al. up to relu3_1, whose activations have a mean of about 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from lumiface.core.assets import find_asset
from lumiface.core.errors import InputError
from lumiface.core.shapes import require_same_features, require_same_pictures
from lumiface.losses.reflection_pad import ReflectionPad

LAYERS = ("relu1_1", "relu2_1", "relu3_1")
"""Output layers of `VGGFeatures`: 64, 128 and 256 channels at full, 1/2 and 1/4 resolution."""


class VGGFeatures(nn.Module):
    """RGB in [0, 1] -> VGG-19's features at `LAYERS`. Its weights are frozen; gradients flow to the image.

    Shape: (B, 3, H, W), H and W >= 8 -> list of (B, 64, H, W), (B, 128, H/2, W/2), (B, 256, H/4, W/4).

    Args:
        weights: load the asset "vgg_normalised_conv3_1"; False leaves them random, for tests
            without the asset.

    Raises:
        AssetMissing: the weights are not on this machine.
        InputError: the file holds another network.
    """

    def __init__(self, *, weights: bool = True) -> None:
        super().__init__()

        def conv(in_channels: int, out_channels: int) -> list[nn.Module]:
            return [ReflectionPad(), nn.Conv2d(in_channels, out_channels, 3), nn.ReLU()]

        # The layers are numbered as in the file.
        self.layers = nn.Sequential(
            nn.Conv2d(3, 3, 1),
            *conv(3, 64),
            *conv(64, 64),
            nn.MaxPool2d(2, ceil_mode=True),
            *conv(64, 128),
            *conv(128, 128),
            nn.MaxPool2d(2, ceil_mode=True),
            *conv(128, 256),
        )
        if weights:
            path = find_asset("vgg_normalised_conv3_1")
            try:
                stored = torch.load(path, map_location="cpu", weights_only=True)
                self.layers.load_state_dict(stored)
            except (RuntimeError, UnpicklingError, AttributeError) as error:
                raise InputError(f"{path} does not hold VGG-19 up to relu3_1; get the file again") from error
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        features = image
        for index, layer in enumerate(self.layers):
            features = layer(features)
            if index in (3, 10, 17):
                outputs.append(features)
        return outputs


def perceptual_loss(output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    r"""Mean squared distance of features, :math:`\sum_l ||\Phi_l(\hat y) - \Phi_l(y)||_2^2 / (C_l H_l W_l)`.

    Args:
        output, target: features (B, C, H, W) of two images, layer by layer.

    Raises:
        ValueError: there are no layers, or their shapes differ.

    Source:
        Johnson et al. 2016, equation 2.
    """
    require_same_features(output, target)
    return torch.stack(
        [precise_mean((one - other).square()) for one, other in zip(output, target, strict=True)]
    ).sum()


def precise_mean(values: Tensor) -> Tensor:
    """The mean in float32 at least: in bf16 a loss would have two to three digits."""
    return values.mean(dtype=torch.promote_types(values.dtype, torch.float32))


class PerceptualLoss(nn.Module):
    """`perceptual_loss` of two images in [0, 1], shape (B, 3, H, W); the target gets no gradient."""

    def __init__(self, *, weights: bool = True) -> None:
        super().__init__()
        self.features = VGGFeatures(weights=weights)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        require_same_pictures(output, target)
        with torch.no_grad():
            target_features = self.features(target)
        return perceptual_loss(self.features(output), target_features)
