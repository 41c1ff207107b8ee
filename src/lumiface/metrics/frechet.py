"""Fréchet distance of the feature distributions of two sets of pictures, without pairs.

Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium". It
is the FID only with the features of one specific Inception network; distances of other backbones are not
comparable with it, which is why the name contains the backbone.
"""

from __future__ import annotations

from importlib import import_module
from typing import Literal

import torch
from torch import Tensor, nn

from lumiface.core.assets import find_asset
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.imaging.quantize import to_uint8
from lumiface.metrics.lpips import LPIPS

Backbone = Literal["squeezenet", "inception"]

_MIN_SIDE = 32  # of a picture, pixels


def frechet_distance(first: Tensor, second: Tensor) -> Tensor:
    r"""Squared Fréchet distance of the normal distributions fitted to two sets of feature vectors.

    .. math:: |\mu_1 - \mu_2|^2 + \mathrm{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})

    From 0 up; lower is better and 0 means equal means and covariances. Biased upwards for few vectors: state
    their number; distances of different numbers of vectors are not comparable.

    Args:
        first: (N, D), N at least 2.
        second: (M, D), M at least 2.

    Returns:
        () float64.

    Raises:
        ValueError: the shapes do not fit, or there are too few vectors.

    Source:
        Dowson and Landau 1982, equation 4; section 3 of the paper.

    Example:
        >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> frechet_distance(square, square + 3).item()
        18.0...
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"features {tuple(first.shape)} and {tuple(second.shape)} must be (N, D) and (M, D)")
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a distribution needs 2 vectors or more, but has {len(first)} and {len(second)}")
    first, second = first.double(), second.double()
    shift = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    covariances = torch.cov(first.mT), torch.cov(second.mT)
    # With roots R R^T of both, tr (Σ1 Σ2)^(1/2) is the sum of the singular values of R1^T R2: unlike the
    # square root of the product it has no small negative or complex parts that must be discarded.
    cross = torch.linalg.svdvals(_root(covariances[0]).mT @ _root(covariances[1])).sum()
    return (shift + covariances[0].trace() + covariances[1].trace() - 2 * cross).clamp(min=0.0)


class FrechetDistance(nn.Module):
    """Fréchet distance of pictures by the features of a network.

    Colour space: sRGB-encoded RGB. Crop: none.

    Args:
        backbone: "squeezenet": global means of SqueezeNet 1.1's last features (512), each picture at its own
            size, so that distances of different picture sizes are not comparable. "inception": the 2048
            features of the FID, pictures rounded to 8 bits and resized to 299x299 as in TensorFlow 1.

    Attributes:
        name: "fd_squeezenet", or "fid".

    Raises:
        SettingError: unknown backbone.
        AssetMissing: its weights, or the package `torch-fidelity` for Inception, are not on this machine.
    """

    def __init__(self, backbone: Backbone = "squeezenet") -> None:
        super().__init__()
        if backbone not in ("squeezenet", "inception"):
            raise SettingError(f"Fréchet distance has no backbone {backbone}: choose squeezenet or inception")
        self.name = "fid" if backbone == "inception" else "fd_squeezenet"
        self.network: nn.Module = _Inception() if backbone == "inception" else _SqueezeNet()
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """Features to compare: (B, 3, H, W), RGB in [0, 1] -> (B, D) float32; collect them batch by batch.

        Raises:
            ValueError: not pictures, or smaller than 32x32.
        """
        if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[-2:]) < _MIN_SIDE:
            raise ValueError(
                f"{self.name} needs (B, 3, H, W) of {_MIN_SIDE}x{_MIN_SIDE} pixels or more, "
                f"but has {tuple(pictures.shape)}"
            )
        return self.network(pictures)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N, 3, H, W) and (M, 3, H, W), RGB in [0, 1] -> () float64; see `frechet_distance`."""
        return frechet_distance(self.features(outputs), self.features(targets))


class _SqueezeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lpips = LPIPS("squeeze")  # its features and its normalisation of the pictures

    def forward(self, pictures: Tensor) -> Tensor:
        maps = (pictures * 2 - 1 - self.lpips.shift) / self.lpips.scale
        return self.lpips.features(maps).mean(dim=(2, 3))


class _Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        weights = find_asset("inception_fid")  # its hash is known, so that torch-fidelity may unpickle it
        try:
            module = import_module("torch_fidelity.feature_extractor_inceptionv3")
        except ModuleNotFoundError as error:
            raise AssetMissing("FID needs torch-fidelity: pip install 'lumiface[metrics]'") from error
        self.extractor = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self.extractor(to_uint8(pictures))[0].float()


def _root(covariance: Tensor) -> Tensor:
    """R with R R^T = the covariance."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0.0).sqrt()
