"""Perceptual loss on VGG-19's features before the activations, for blind restoration.

Paper: blind face restoration by feature fusion and embedding optimisation, section 1.3, equation 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lumiface.core.assets import find_asset
from lumiface.core.errors import InputError
from lumiface.core.shapes import require_same_features, require_same_pictures
from lumiface.losses.features_of_both import features_of_both
from lumiface.losses.perceptual import VGGFeatures, precise_mean

Backbone = Literal["vgg19", "vgg19-conv3_1"]

_WIDTHS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512))
"""Channels up to conv5_2; max pooling between two groups (Simonyan and Zisserman 2015, Table 1, E)."""


class VGG19Features(nn.Module):
    """RGB in [0, 1] -> features of VGG-19 before the activation, frozen; gradients flow to the image.

    Shape: (B, 3, H, W) -> list of (B, C, H_l, W_l), H_l halved from one to the next.

    Args:
        backbone: "vgg19": conv1_2, conv2_2, conv3_2, conv4_2, conv5_2, as in the paper (asset "vgg19", H and
            W >= 16); "vgg19-conv3_1": conv1_2, conv2_2, conv3_1 of the channel-normalised network that ends
            there (asset "vgg_normalised_conv3_1", H and W >= 8).
        weights: False leaves them random, for tests without the asset.

    Raises:
        AssetMissing: the weights are not on this machine.
        InputError: the file holds another network.
    """

    def __init__(self, backbone: Backbone = "vgg19", *, weights: bool = True) -> None:
        super().__init__()
        full = backbone == "vgg19"
        self.layers = _vgg19(weights) if full else VGGFeatures(weights=weights).layers
        # The normalised network takes RGB in [0, 1]; torchvision's expects ImageNet's mean and deviation.
        mean, deviation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if full else ((0.0,), (1.0,))
        self.mean = nn.Buffer(torch.tensor(mean)[:, None, None], persistent=False)
        self.deviation = nn.Buffer(torch.tensor(deviation)[:, None, None], persistent=False)
        self.output_layers = (2, 7, 12, 21, 30) if full else (5, 12, 16)
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        features = (image - self.mean) / self.deviation
        for index, layer in enumerate(self.layers[: self.output_layers[-1] + 1]):
            features = layer(features)
            if index in self.output_layers:
                outputs.append(features)
        return outputs


def pre_activation_loss(output: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    r""":math:`L_{per} = \sum_l |\Phi_l(\hat I) - \Phi_l(I)|_1`, the mean over each layer's elements.

    Args:
        output, target: features (B, C, H, W) of two images, layer by layer.

    Raises:
        ValueError: there are no layers, or their shapes differ.
    """
    require_same_features(output, target)
    return torch.stack(
        [precise_mean((one - other).abs()) for one, other in zip(output, target, strict=True)]
    ).sum()


class VGG19Loss(nn.Module):
    """`pre_activation_loss` of two images in [0, 1], shape (B, 3, H, W); the target gets no gradient."""

    def __init__(self, backbone: Backbone = "vgg19", *, weights: bool = True) -> None:
        super().__init__()
        self.features = VGG19Features(backbone, weights=weights)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        require_same_pictures(output, target)
        return pre_activation_loss(*features_of_both(self.features, output, target))


def _vgg19(weights: bool) -> nn.Sequential:
    """The layers in torchvision's numbering, to load its file."""
    layers: list[nn.Module] = []
    in_channels = 3
    for group, widths in enumerate(_WIDTHS):
        layers += [nn.MaxPool2d(2)] if group else []
        for width in widths:
            layers += [nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU()]
            in_channels = width
    network = nn.Sequential(*layers)
    if weights:
        path = find_asset("vgg19")
        try:
            stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict({name: stored[f"features.{name}"] for name in network.state_dict()})
        except (RuntimeError, UnpicklingError, AttributeError, KeyError) as error:
            raise InputError(f"{path} does not hold torchvision's VGG-19; get the file again") from error
    return network
