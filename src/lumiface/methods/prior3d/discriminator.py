"""The dual discriminator: are a face's colours, and its edges, those of a well-lit one? (§3.3.2, equation 14)

Two critics on the pair of an enhanced face and a real one: one sees both blurred, only their colours, the
other only their edges; after Yang et al. 2023, "Implicit Neural Representation for Cooperative Low-light
Image Enhancement", §3.4.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

BLUR = 8
"""Pixels over which colours are averaged before the colour critic sees them."""


class Discriminator(nn.Sequential):
    """Four strided convolutions with spectral norm: one verdict a patch.

    Shape: (B, C, H, W) -> (B, 1, H/16, W/16).
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        layers: list[nn.Module] = []
        before = channels
        for after in (width, 2 * width, 4 * width):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
            before = after
        super().__init__(*layers, spectral_norm(nn.Conv2d(before, 1, 4, stride=2, padding=1)))


class DualDiscriminator(nn.Module):
    """D(candidate, reference): verdicts by colour and by edges; 1 for a well-lit face, 0 for a made one.

    Shape: (B, 3, H, W) twice, H and W >= 32 -> list of two (B, 1, h, w).
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.colour = Discriminator(6, width)
        self.edges = Discriminator(2, width)

    def forward(self, candidate: Tensor, reference: Tensor) -> list[Tensor]:
        colours = torch.cat([blurred(candidate), blurred(reference)], dim=1)
        edges = torch.cat([edge_strength(candidate), edge_strength(reference)], dim=1)
        return [self.colour(colours), self.edges(edges)]


def adversarial_loss(verdicts: list[Tensor], wanted: float) -> Tensor:
    """E[(D - wanted)²], the mean over both critics (equation 14 with 1; least squares, Mao et al. 2017)."""
    return torch.stack([(verdict - wanted).square().mean() for verdict in verdicts]).mean()


def blurred(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> the same size, every pixel the mean of its surroundings: colours without any detail."""
    side = 2 * BLUR + 1
    return F.avg_pool2d(F.pad(picture, (BLUR,) * 4, mode="replicate"), side, stride=1)


def edge_strength(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W), length of the grey picture's gradient (Sobel)."""
    grey = F.pad(picture.mean(dim=1, keepdim=True), (1,) * 4, mode="replicate")
    smooth, step = grey.new_tensor([1.0, 2.0, 1.0]) / 4.0, grey.new_tensor([-1.0, 0.0, 1.0]) / 2.0
    kernels = torch.stack([smooth[:, None] * step, step[:, None] * smooth])[:, None]  # (2, 1, 3, 3)
    return (F.conv2d(grey, kernels).square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
