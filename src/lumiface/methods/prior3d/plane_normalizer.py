"""Between the lifter's tri-planes and what diffusion sees: x_0, of mean 0 and deviation 1 (§2).

NOTE(paper): x_0 is "the tri-plane with the camera's parameters", and its scale is left open. Most of a plane
is the same in all faces, and its channels say much the same thing: in planes of 64 texels, sixteen directions
hold 99 % of the differences between faces. So the mean face is taken off texel by texel, the rest is turned
onto its principal directions, and each of these gets a deviation of 1: noise then covers the face, not what
all faces share.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from lumiface.geometry.camera import NUMBERS

CAMERA_SHARE = 0.1
"""Of the loss: the camera's. The rest is divided among the planes' directions by their deviations: by their
variances, the weaker half would weigh a twentieth, and stay as noisy as it is drawn."""


class TriplaneNormalizer(nn.Module):
    """A linear map and its way back, learnt from examples by `calibrate`, not by steps.

    Args:
        channels: C, of each of the three planes.
        side: S, texels.
        components: K, principal directions that are kept.
    """

    def __init__(self, channels: int, side: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 3 * channels, side, side))
        self.register_buffer("basis", torch.eye(components, 3 * channels))
        self.register_buffer("std", torch.ones(components))
        self.register_buffer("camera_mean", torch.zeros(NUMBERS))
        self.register_buffer("camera_std", torch.ones(NUMBERS))
        self.mean: Tensor
        self.basis: Tensor
        self.std: Tensor
        self.camera_mean: Tensor
        self.camera_std: Tensor

    @torch.no_grad()
    def calibrate(self, planes: Tensor, camera: Tensor) -> None:
        """Take mean, directions and deviations from examples: (N, 3, C, S, S) and (N, 25), N >= 2."""
        flat = rearrange(planes, "n p c y x -> n (p c) y x").float()
        self.mean.copy_(flat.mean(dim=0, keepdim=True))
        apart = rearrange(flat - self.mean, "n c y x -> c (n y x)")
        values, vectors = torch.linalg.eigh(apart @ apart.T / apart.shape[1])  # ascending
        self.basis.copy_(vectors.flip(1)[:, : len(self.std)].T)
        self.std.copy_(values.flip(0)[: len(self.std)].clamp_min(1e-12).sqrt())
        self.camera_mean.copy_(camera.mean(dim=0))
        spread = camera.std(dim=0)
        # Numbers that never vary (the lens) are not learnt: 0 lets `restore` give their mean.
        self.camera_std.copy_(torch.where(spread > 1e-4, spread, torch.zeros_like(spread)))

    def importance(self) -> Tensor:
        """(K + 25,), sum 1: what a channel's error weighs in the loss."""
        planes = self.std / self.std.sum()
        told = (self.camera_std > 0.0).float()
        camera = told / told.sum().clamp_min(1.0)
        return torch.cat([(1.0 - CAMERA_SHARE) * planes, CAMERA_SHARE * camera])

    def normalise(self, planes: Tensor, camera: Tensor) -> Tensor:
        """x_0 (B, K + 25, S, S): planes (B, 3, C, S, S), and the camera (B, 25) spread over all texels."""
        apart = rearrange(planes, "b p c y x -> b (p c) y x") - self.mean
        turned = torch.einsum("kc,bcyx->bkyx", self.basis / self.std[:, None], apart)
        varies = self.camera_std > 0.0
        where = torch.where(varies, camera - self.camera_mean, 0.0) / torch.where(
            varies, self.camera_std, 1.0
        )
        spread = where[:, :, None, None].expand(-1, -1, *planes.shape[-2:])
        return torch.cat([turned, spread], dim=1)

    def denormalise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x_0 -> planes (B, 3, C, S, S) and the camera (B, 25), the mean over all texels."""
        turned, spread = x[:, :-NUMBERS], x[:, -NUMBERS:]
        planes = self.mean + torch.einsum("kc,bkyx->bcyx", self.basis * self.std[:, None], turned)
        camera = self.camera_mean + self.camera_std * spread.mean(dim=(2, 3))
        return rearrange(planes, "b (p c) y x -> b p c y x", p=3), camera
