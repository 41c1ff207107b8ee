"""Pixel losses: L1 (LFSRNet, section 2.4), Charbonnier, MSE (SRCNN) and per-image log-MSE."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.core.shapes import require_same_pictures


def l1_loss(output: Tensor, target: Tensor) -> Tensor:
    r"""Mean absolute difference, :math:`L_1 = \frac{1}{BCHW} \sum |I_{SR} - I_{HR}|`.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].

    Returns:
        Scalar, in the images' unit.

    Raises:
        ValueError: the two shapes differ.

    Source:
        LFSRNet, section 2.4.
    """
    require_same_pictures(output, target)
    return F.l1_loss(output, target)


def mse_loss(output: Tensor, target: Tensor) -> Tensor:
    r"""Mean squared difference, :math:`L = \frac{1}{BCHW} \sum (F(Y) - X)^2`.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].

    Returns:
        Scalar, in the square of the images' unit; its PSNR is ``-10 * log10(loss)``.

    Raises:
        ValueError: the two shapes differ.

    Source:
        SRCNN (Dong et al., "Image Super-Resolution Using Deep Convolutional Networks"), section 3.3.
    """
    require_same_pictures(output, target)
    return F.mse_loss(output, target)


def log_mse_loss(output: Tensor, target: Tensor) -> Tensor:
    r"""Mean over the images of :math:`\ln(MSE + 10^{-6})`, the mean PSNR up to sign and scale.

    An image with badly estimated illumination has no more weight than one that is nearly right.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].

    Returns:
        Scalar; a decrease by 1 is an increase of PSNR by 4.34 dB.

    Raises:
        ValueError: the two shapes differ.

    Source:
        PSNR's definition; the constant bounds its gradient at 60 dB.
    """
    require_same_pictures(output, target)
    return ((output - target).square().mean(dim=(1, 2, 3)) + 1e-6).log().mean()


def charbonnier_loss(output: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    r"""Smooth approximation of L1, :math:`\frac{1}{BCHW} \sum \sqrt{d^2 + \epsilon^2}`.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        epsilon: below it the loss is nearly quadratic, above it nearly L1; > 0, in the images' unit.

    Returns:
        Scalar, in the images' unit; `epsilon` for equal images.

    Raises:
        ValueError: the two shapes differ.

    Source:
        Lai et al., "Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution", section 3.2.
    """
    require_same_pictures(output, target)
    return ((output - target).square() + epsilon**2).sqrt().mean()


class L1Loss(nn.Module):
    """`l1_loss` as a module."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return l1_loss(output, target)


class MSELoss(nn.Module):
    """`mse_loss` as a module."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return mse_loss(output, target)


class CharbonnierLoss(nn.Module):
    """`charbonnier_loss` as a module."""

    def __init__(self, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return charbonnier_loss(output, target, self.epsilon)


class LogMSELoss(nn.Module):
    """`log_mse_loss` as a module."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return log_mse_loss(output, target)
