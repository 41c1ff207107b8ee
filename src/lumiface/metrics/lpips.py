"""LPIPS: perceptual distance of two pictures in the features of an image classification network.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", with version
0.1 of the authors' heads. The feature networks are built here from torch's layers, so that the core
installation suffices; the weights come from the asset table and the authors' `lpips` package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from lumiface.core.assets import find_asset
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.core.shapes import require_same_pictures

LPIPSNet = Literal["squeeze", "alex", "vgg"]

# The layers whose outputs are compared, and their channels.
_TAPS: Mapping[str, Mapping[int, int]] = {
    "squeeze": {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512},
    "alex": {1: 64, 4: 192, 7: 384, 9: 256, 11: 256},
    "vgg": {3: 64, 8: 128, 15: 256, 22: 512, 29: 512},
}
_BACKBONE = {"squeeze": "squeezenet1_1", "alex": "alexnet", "vgg": "vgg16"}


class LPIPS(nn.Module):
    r"""Learned perceptual image patch similarity, a distance from 0 up; lower is better and 0 means equal.

    .. math:: d = \sum_l \frac{1}{H_l W_l} \sum_{h,w} ||w_l \odot (\hat y^l_{hw} - \hat y^l_{0hw})||_2^2

    with features normalised to unit length over the channels and `w_l` squared into the heads. Colour space:
    sRGB-encoded RGB. Crop: none. Scores of different networks are not comparable: name the
    network. Parameters are frozen; the gradient flows to the pictures.

    Args:
        net: "squeeze", "alex" (the papers' choice) or "vgg".

    Raises:
        SettingError: unknown network.
        AssetMissing: its weights are not on this machine. Large files are never downloaded.

    Example:
        >>> ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
        >>> LPIPS("squeeze")(ramp**2, ramp).item()
        0.0692...
    """

    def __init__(self, net: LPIPSNet = "squeeze") -> None:
        super().__init__()
        if net not in _TAPS:
            raise SettingError(f"LPIPS has no network {net}: choose {', '.join(_TAPS)}")
        self.net: LPIPSNet = net
        self.features = {"squeeze": _squeezenet, "alex": _alexnet, "vgg": _vgg16}[net]()
        self.heads = nn.ParameterList([torch.zeros(channels) for channels in _TAPS[net].values()])
        # The mean and deviation that the features were trained with, for pictures in [-1, 1].
        self.shift = nn.Buffer(torch.tensor([-0.030, -0.088, -0.188])[:, None, None], persistent=False)
        self.scale = nn.Buffer(torch.tensor([0.458, 0.448, 0.450])[:, None, None], persistent=False)
        self.load_state_dict(_load_weights(net))
        self.requires_grad_(False)
        self.eval()

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Distance of each pair.

        Args:
            output: (B, 3, H, W), RGB in [0, 1], at least 32x32.
            target: (B, 3, H, W), RGB in [0, 1].

        Returns:
            (B,), one per pair.

        Raises:
            ValueError: the shapes differ, or the pictures are too small.
        """
        require_same_pictures(output, target)
        if min(output.shape[-2:]) < 32:
            raise ValueError(f"LPIPS needs 32x32 pixels or more, but has {tuple(output.shape[-2:])}")
        trained = torch.is_grad_enabled() and output.requires_grad and not target.requires_grad
        if trained and not output.is_cuda:
            # A loss: the target's features need no backward pass. In one batch they get one, which a GPU
            # computes in less time than it would need to start twice as many kernels.
            with torch.no_grad():
                target_units = self._unit_features(target)
            pairs = zip(self._unit_features(output), target_units, strict=True)
        else:
            pairs = (unit.chunk(2) for unit in self._unit_features(torch.cat([output, target])))
        distance = output.new_zeros(output.shape[0])
        with torch.autocast(output.device.type, enabled=False):  # only convolutions stand a low precision
            for (y, y0), head in zip(pairs, self.heads, strict=True):
                squared = (y - y0).square()  # (B, C_l, H_l, W_l)
                distance = distance + torch.einsum("bchw,c->bhw", squared, head).mean(dim=(1, 2))
        return distance

    def _unit_features(self, pictures: Tensor) -> list[Tensor]:
        """Features of each compared layer, of unit length over the channels."""
        maps = (pictures * 2 - 1 - self.shift) / self.scale
        units: list[Tensor] = []
        for index, layer in enumerate(self.features):
            maps = layer(maps)
            if index in _TAPS[self.net]:
                # Under autocast the features are rounded, but not their lengths. vector_norm has a gradient
                # of 0, not NaN, where all features are 0.
                exact = maps.to(torch.promote_types(maps.dtype, torch.float32))
                units.append(exact / (torch.linalg.vector_norm(exact, dim=1, keepdim=True) + 1e-10))
        return units


class _Fire(nn.Module):
    """SqueezeNet's block: a 1x1 squeeze, then parallel 1x1 and 3x3 expansions."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.squeeze(maps).relu()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], dim=1).relu()


def _squeezenet() -> nn.Sequential:
    """Features of SqueezeNet 1.1 (Iandola et al. 2016), indexed as torchvision's."""

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        pool(),
        _Fire(64, 16, 64),
        _Fire(128, 16, 64),
        pool(),
        _Fire(128, 32, 128),
        _Fire(256, 32, 128),
        pool(),
        _Fire(256, 48, 192),
        _Fire(384, 48, 192),
        _Fire(384, 64, 256),
        _Fire(512, 64, 256),
    )


def _alexnet() -> nn.Sequential:
    """Features of AlexNet (Krizhevsky 2014), indexed as torchvision's, up to the last compared layer."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16() -> nn.Sequential:
    """Features of VGG-16 (Simonyan and Zisserman 2015), indexed as torchvision's, without the last pool."""
    layers: list[nn.Module] = []
    channels = 3
    for stage, (width, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
        if stage > 0:
            layers.append(nn.MaxPool2d(2))
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def _load_weights(net: LPIPSNet) -> dict[str, Tensor]:
    """Weights under this module's names: from a single file if there is one, else from backbone and heads."""
    if net == "squeeze":
        try:
            return convert_weights(_read(find_asset("lpips_squeeze")), {})
        except AssetMissing:
            pass  # that file is not published; the two from which it was built are tried next
    heads = _heads_file(net)
    return convert_weights(_read(find_asset(_BACKBONE[net])), _read(heads))


def convert_weights(features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights of the `lpips` package or torchvision (`features`) and its heads (`heads`).

    `net.slice2.3.squeeze.weight` and `features.3.squeeze.weight` are the same layer; `lin0.model.1.weight` is
    the first head, (1, C, 1, 1) there and (C,) here. Weights that LPIPS does not use are dropped.
    """
    weights: dict[str, Tensor] = {}
    for name, value in {**features, **heads}.items():
        if layer := re.fullmatch(r"(?:net\.slice\d+|features)\.(\d+\..+)", name):
            weights[f"features.{layer[1]}"] = value
        elif head := re.fullmatch(r"lin(\d+)\.model\.1\.weight", name):
            weights[f"heads.{head[1]}"] = value.flatten()
    return weights


def _heads_file(net: LPIPSNet) -> Path:
    package = find_spec("lpips")
    if package is None or package.origin is None:
        raise AssetMissing(f"the heads of LPIPS-{net} are missing: pip install 'lumiface[metrics]'")
    return Path(package.origin).parent / "weights" / "v0.1" / f"{net}.pth"


def _read(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)
