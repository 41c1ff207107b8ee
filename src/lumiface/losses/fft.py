"""Frequency loss: fine detail has as much weight as low frequencies (LFSRNet, section 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lumiface.core.shapes import require_same_pictures


def fft_loss(output: Tensor, target: Tensor) -> Tensor:
    r"""Mean modulus of the spectrum's difference, :math:`L_{FFT} = |FFT(I_{SR}) - FFT(I_{HR})|_1`.

    The transform is two-dimensional, per channel and orthonormal, so that the loss has the images' unit at
    every size, and the weights of the recipe hold at every resolution.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].

    Returns:
        Scalar: the mean of the complex modulus over all B * 3 * H * W frequencies.

    Raises:
        ValueError: the two shapes differ.

    Source:
        LFSRNet, section 2.4. The paper leaves the norm open.
    """
    require_same_pictures(output, target)
    # NOTE(paper): modulus and orthonormal scaling are our interpretation; L1 of real and imaginary part is
    # another. The transform is linear: one transform of the difference suffices.
    return mean_modulus(output - target)


def mean_modulus(maps: Tensor) -> Tensor:
    """Mean of the complex modulus over all frequencies of real maps (..., H, W), orthonormal: a scalar."""
    if maps.dtype in (torch.float16, torch.bfloat16):  # half precision has no FFT
        maps = maps.float()
    # The spectrum of a real image is symmetric: half of it suffices. Each of its columns counts twice, except
    # the first and, for an even width, the last one, which are their own mirror images.
    modulus = torch.fft.rfft2(maps, norm="ortho").abs()  # (..., H, W // 2 + 1)
    total = 2.0 * modulus.sum() - modulus[..., 0].sum()
    if maps.shape[-1] % 2 == 0:
        total = total - modulus[..., -1].sum()
    return total / maps.numel()


class FFTLoss(nn.Module):
    """`fft_loss` as a module."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return fft_loss(output, target)
