"""Consistency: whether the restored face, made dark, blurred and small again, is that of the photograph.

    photograph ≈ gain · (k_σ ⊗ shrink(restored))^gamma        gain and gamma per channel, one σ

Gain has a closed form for each gamma (least squares); gamma and σ are the best of a grid. A face that cannot
be made from the restored one by any of these shows something that the photograph does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.resample import resize
from lumiface.metrics.psnr import psnr_y

AGREES = 30.0
"""PSNR-Y in dB from which a face agrees with the photograph."""

SIGMAS = (0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 6.0)
"""Blurs tried, pixels of the compared face."""

LARGEST = 128
"""Side of the compared faces at most, pixels."""

_GAMMAS = torch.logspace(-0.5, 0.9, 29, dtype=torch.float64)  # 0.32 to 7.9


def consistency(photographed: Tensor, restored: Tensor, side: float) -> float:
    """PSNR-Y in dB between the face in a photograph and the restored one, degraded again.

    Args:
        photographed, restored: (1, 3, S, S) in [0, 1], aligned, of any sizes.
        side: of the face in the photograph, pixels: the size to which the restored one is shrunk.
    """
    size = max(8, min(round(side), LARGEST, photographed.shape[-1]))
    target = resize(photographed, (size, size)).clamp(0.0, 1.0).double().cpu()
    small = resize(restored, (size, size)).clamp(0.0, 1.0).double().cpu()
    scores = [float(psnr_y(_exposed(_blurred(small, sigma), target), target)) for sigma in SIGMAS]
    return min(max(scores), 99.0)


def _blurred(small: Tensor, sigma: float) -> Tensor:
    if sigma == 0.0:
        return small
    deviation = small.new_tensor([sigma])
    return blur(
        small, gaussian_kernels(deviation, deviation, torch.zeros_like(deviation), blur_radius(sigma))
    )


def _exposed(picture: Tensor, target: Tensor) -> Tensor:
    """The picture with the gain and gamma per channel that bring it closest to the target."""
    channels: list[Tensor] = []
    for own, wanted in zip(picture[0], target[0], strict=True):
        powers = own.clamp(min=0.0).flatten() ** _GAMMAS[:, None]  # (G, N)
        gains = (powers @ wanted.flatten()) / powers.square().sum(1).clamp(min=1e-12)
        exposed = (gains[:, None] * powers).clamp(0.0, 1.0)
        best = int((exposed - wanted.flatten()).square().sum(1).argmin())
        channels.append(exposed[best].view_as(own))
    return torch.stack(channels)[None]
