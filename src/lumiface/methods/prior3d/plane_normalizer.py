"""Between the lifter's tri-planes and the diffusion variable x_0 of mean 0 and standard deviation 1 (§2).

NOTE(paper): x_0 is "the tri-plane with the camera's parameters", and its scale is left open. Most of a plane
is common to all faces, and its channels are strongly correlated: in planes of 64 texels, sixteen principal
components hold 99 % of the variance between faces. So the mean face is subtracted texel by texel, the rest is
projected onto its principal components, and each component is scaled to unit standard deviation: the noise
then covers the differences between faces.

With as many components as there are channels (96), nothing is left out, and the basis is the identity: x_0
is the tri-plane itself, as in the paper, each channel scaled to unit standard deviation. All 96 principal
components would be a rotation of the same numbers; but scaled to unit deviation, those that hold 1/10,000 of
the variance would ask for as much of the loss as the first.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from lumiface.geometry.camera import CAMERA_LENGTH

CAMERA_WEIGHT = 0.1
"""Weight of the camera in the loss. The rest is divided among the planes' components by their standard
deviations: by their variances, the weaker half would weigh 1/20 and stay noisy."""


class TriplaneNormalizer(nn.Module):
    """An invertible linear map, fitted to examples by `calibrate`, not by training.

    Args:
        channels: C, of each of the three planes.
        side: S, texels.
        components: K, number of principal components; 3·C: the channels themselves.

    Raises:
        ValueError: there are fewer channels than components.
    """

    def __init__(self, channels: int, side: int, components: int) -> None:
        super().__init__()
        if components > 3 * channels:
            raise ValueError(f"components: {components}, but the planes have {3 * channels} channels")
        self.register_buffer("mean", torch.zeros(1, 3 * channels, side, side))
        self.register_buffer("basis", torch.eye(components, 3 * channels))
        self.register_buffer("std", torch.ones(components))
        self.register_buffer("camera_mean", torch.zeros(CAMERA_LENGTH))
        self.register_buffer("camera_std", torch.ones(CAMERA_LENGTH))
        self.mean: Tensor
        self.basis: Tensor
        self.std: Tensor
        self.camera_mean: Tensor
        self.camera_std: Tensor

    @torch.no_grad()
    def calibrate(self, planes: Tensor, camera: Tensor) -> None:
        """Fit mean, components and deviations to examples: (N, 3, C, S, S) and (N, 25), N >= 2."""
        flat = rearrange(planes, "n p c y x -> n (p c) y x").float()
        self.mean.copy_(flat.mean(dim=0, keepdim=True))
        centred = rearrange(flat - self.mean, "n c y x -> c (n y x)")
        covariance = centred @ centred.T / centred.shape[1]
        if len(self.std) == len(covariance):
            values, basis = covariance.diagonal(), torch.eye(len(covariance))
        else:
            ascending, vectors = torch.linalg.eigh(covariance)
            values, basis = ascending.flip(0), vectors.flip(1).T
        self.basis.copy_(basis[: len(self.std)])
        self.std.copy_(values[: len(self.std)].clamp_min(1e-12).sqrt())
        self.camera_mean.copy_(camera.mean(dim=0))
        deviation = camera.std(dim=0)
        # Constant entries (the intrinsics) get 0, so that `denormalise` returns their mean.
        self.camera_std.copy_(torch.where(deviation > 1e-4, deviation, torch.zeros_like(deviation)))

    def importance(self) -> Tensor:
        """(K + 25,), sum 1: the weight of each channel's error in the loss."""
        planes = self.std / self.std.sum()
        varies = (self.camera_std > 0.0).float()
        camera = varies / varies.sum().clamp_min(1.0)
        return torch.cat([(1.0 - CAMERA_WEIGHT) * planes, CAMERA_WEIGHT * camera])

    def normalise(self, planes: Tensor, camera: Tensor) -> Tensor:
        """x_0 (B, K + 25, S, S): planes (B, 3, C, S, S), and the camera (B, 25) broadcast over all texels."""
        centred = rearrange(planes, "b p c y x -> b (p c) y x") - self.mean
        components = torch.einsum("kc,bcyx->bkyx", self.basis / self.std[:, None], centred)
        varies = self.camera_std > 0.0
        normalized = torch.where(varies, camera - self.camera_mean, 0.0) / torch.where(
            varies, self.camera_std, 1.0
        )
        broadcast = normalized[:, :, None, None].expand(-1, -1, *planes.shape[-2:])
        return torch.cat([components, broadcast], dim=1)

    def denormalise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x_0 -> planes (B, 3, C, S, S) and the camera (B, 25), the mean over all texels."""
        components, camera_maps = x[:, :-CAMERA_LENGTH], x[:, -CAMERA_LENGTH:]
        planes = self.mean + torch.einsum("kc,bkyx->bcyx", self.basis * self.std[:, None], components)
        camera = self.camera_mean + self.camera_std * camera_maps.mean(dim=(2, 3))
        return rearrange(planes, "b (p c) y x -> b p c y x", p=3), camera
