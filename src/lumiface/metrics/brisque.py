"""BRISQUE: subjective quality of a picture, predicted from its statistics without a reference.

Mittal, Moorthy and Bovik, IEEE TIP 2012, "No-reference image quality assessment in the spatial domain".
Exact: features, scaling and regression of the authors' MATLAB release, with their support vectors, trained on
the LIVE database; these are bundled in `live_brisque`, under their licence. MATLAB's own function `brisque`
has another model and gives other scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lumiface.core.errors import InputError
from lumiface.metrics.natural_scene import (
    fit_asymmetric,
    fit_symmetric,
    gaussian_window,
    halve,
    neighbour_products,
    normalise_contrast,
    rounded_luma,
)

AUTHORS_MODEL = Path(__file__).parent / "live_brisque" / "allmodel"

_FEATURES = 36
_MIN_SIDE = 32  # pixels; smaller pictures have no statistics at half the size

# Minimum and maximum of each of the 18 features over the training set, first for the picture, then for its
# half: they are scaled to -1 and 1 (`allrange` of the authors' release).
_MINIMUM = (
    (0.338, 0.017204, 0.236, -0.123884, 0.000155, 0.001122, 0.244, -0.123586, 0.000152),
    (0.000975, 0.249, -0.135687, 0.000174, 0.000913, 0.258, -0.143408, 0.000179, 0.000888),
    (0.471, 0.012809, 0.218, -0.094876, 1.5e-5, 0.001272, 0.222, -0.115772, 1.6e-5),
    (0.001374, 0.227, -0.117188, 3e-5, 0.001122, 0.228, -0.12243, 2.8e-5, 0.001118),
)
_MAXIMUM = (
    (10.0, 0.806612, 1.642, 0.20293, 0.712298, 0.470257, 1.641, 0.179083, 0.710456),
    (0.470984, 1.555, 0.100858, 0.684173, 0.534174, 1.561, 0.100486, 0.685696, 0.536508),
    (3.264, 0.703171, 1.046, 0.187459, 0.442057, 0.40803, 1.042, 0.162604, 0.444362),
    (0.40243, 0.996, 0.098323, 0.531903, 0.369589, 0.99, 0.098658, 0.530092, 0.370399),
)


@dataclass(frozen=True, slots=True)
class Regression:
    """A support vector regression: `weights` (S,), `vectors` (S, 36), float64; `gamma` and `rho`."""

    weights: Tensor
    vectors: Tensor
    gamma: float
    rho: float

    def __call__(self, features: Tensor) -> Tensor:
        r"""(B, 36) -> (B,), :math:`\sum_s w_s \exp(-\gamma ||x - v_s||^2) - \rho`."""
        distances = (features[:, None] - self.vectors).square().sum(dim=2)
        return (-self.gamma * distances).exp() @ self.weights - self.rho


def brisque(pictures: Tensor, regression: Regression) -> Tensor:
    """Predicted difference from a perfect picture, about 0 to 100; lower is better.

    Colour space: luma of BT.601, full range, rounded to whole numbers (MATLAB's `rgb2gray`). Crop: none.
    Scales: the picture and its half, by antialiased bicubic.

    Args:
        pictures: (B, 3, H, W), RGB in [0, 1], 32x32 or more.
        regression: on the pictures' device.

    Returns:
        (B,) float64, one per picture, not clipped; NaN where a picture is flat.

    Raises:
        ValueError: not pictures, or too small.

    Source:
        Section II; `brisquescore` of the authors' release.
    """
    return regression(scale_features(brisque_features(pictures)))


def brisque_features(pictures: Tensor) -> Tensor:
    """The 36 statistics of each picture (table I, at two scales): (B, 3, H, W) -> (B, 36) float64."""
    if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[-2:]) < _MIN_SIDE:
        raise ValueError(
            f"BRISQUE needs (B, 3, H, W) of {_MIN_SIDE}x{_MIN_SIDE} pixels or more, "
            f"but has {tuple(pictures.shape)}"
        )
    grey = rounded_luma(pictures, "full")
    window = gaussian_window().to(grey.device)
    return torch.cat([_statistics(scale, window) for scale in (grey, halve(grey))], dim=1)


def scale_features(features: Tensor) -> Tensor:
    """(B, 36) -> (B, 36), each from the range of the training set to [-1, 1]."""
    low, high = features.new_tensor(_MINIMUM).flatten(), features.new_tensor(_MAXIMUM).flatten()
    return 2 * (features - low) / (high - low) - 1


class BRISQUE(nn.Module):
    """`brisque` with the authors' model."""

    def __init__(self) -> None:
        super().__init__()
        regression = read_regression(AUTHORS_MODEL)
        self.weights = nn.Buffer(regression.weights, persistent=False)
        self.vectors = nn.Buffer(regression.vectors, persistent=False)
        self.gamma, self.rho = regression.gamma, regression.rho

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W), RGB in [0, 1] -> (B,) float64; see `brisque`."""
        return brisque(pictures, Regression(self.weights, self.vectors, self.gamma, self.rho))


def read_regression(path: Path) -> Regression:
    """A LIBSVM model file: an RBF support vector regression of 36 features, as text.

    Raises:
        InputError: the file is not such a model.
    """
    head, _, body = path.read_text(encoding="ascii", errors="replace").partition("\nSV\n")
    header = dict(line.split(maxsplit=1) for line in head.splitlines() if " " in line)
    try:
        kind = (header["svm_type"], header["kernel_type"])
        gamma, rho, count = float(header["gamma"]), float(header["rho"]), int(header["total_sv"])
        weights: list[float] = []
        vectors = torch.zeros(count, _FEATURES, dtype=torch.float64)
        for row, line in enumerate(body.splitlines()):
            weight, *entries = line.split()
            weights.append(float(weight))
            for entry in entries:  # LIBSVM omits zeros
                index, value = entry.split(":")
                vectors[row, int(index) - 1] = float(value)
    except (KeyError, ValueError, IndexError) as fault:
        raise InputError(f"{path} is not a LIBSVM model of {_FEATURES} features ({fault})") from fault
    if kind != ("epsilon_svr", "rbf") or len(weights) != count:
        raise InputError(f"{path} is not a complete epsilon-SVR with an RBF kernel; download it again")
    return Regression(torch.tensor(weights, dtype=torch.float64), vectors, gamma, rho)


def _statistics(grey: Tensor, window: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 18)."""
    normalised = normalise_contrast(grey, window, "zeros")[:, 0]
    features = list(fit_symmetric(normalised))
    for products in neighbour_products(normalised):
        fit = fit_asymmetric(products)
        features += [fit.alpha, fit.mean, fit.left.square(), fit.right.square()]
    return torch.stack(features, dim=1)
