"""The dual discriminator on colours and on edges (§3.3.2, equation 14).

Two discriminators on the pair of an enhanced and a real face: one on blurred images, which show only colours,
the other on edges only.

NOTE(paper): it takes the discriminator of Yang et al. 2023 ("Implicit Neural Representation for Cooperative
Low-light Image Enhancement", §3.4), and writes it as a function of two images. In their published code each
discriminator sees one image, and that of colours sees it unblurred. Blur and pairs are chosen here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

BLUR = 8
"""Radius in pixels of the box blur before the colour discriminator."""


class Discriminator(nn.Sequential):
    """Four strided convolutions with spectral norm: one logit per patch.

    Shape: (B, C, H, W) -> (B, 1, H/16, W/16).
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        layers: list[nn.Module] = []
        in_channels = channels
        for out_channels in (width, 2 * width, 4 * width):
            conv = nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
            in_channels = out_channels
        super().__init__(*layers, spectral_norm(nn.Conv2d(in_channels, 1, 4, stride=2, padding=1)))


class DualDiscriminator(nn.Module):
    """D(candidate, reference): logits by colour and by edges; target 1 for a real candidate, 0 for a fake.

    Shape: (B, 3, H, W) twice, H and W >= 32 -> list of two (B, 1, h, w).
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.colour = Discriminator(6, width)
        self.edges = Discriminator(2, width)

    def forward(self, candidate: Tensor, reference: Tensor) -> list[Tensor]:
        colours = torch.cat([box_blur(candidate), box_blur(reference)], dim=1)
        edges = torch.cat([edge_strength(candidate), edge_strength(reference)], dim=1)
        return [self.colour(colours), self.edges(edges)]


def adversarial_loss(logits: list[Tensor], target: float) -> Tensor:
    """E[(D - target)²], mean over both discriminators (equation 14 with 1; LSGAN, Mao et al. 2017)."""
    return torch.stack([(patches - target).square().mean() for patches in logits]).mean()


def box_blur(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> the same size, each pixel the mean of its neighbourhood: colours without detail."""
    size = 2 * BLUR + 1
    return F.avg_pool2d(F.pad(image, (BLUR,) * 4, mode="replicate"), size, stride=1)


def edge_strength(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W), magnitude of the grey image's gradient (Sobel)."""
    grey = F.pad(image.mean(dim=1, keepdim=True), (1,) * 4, mode="replicate")
    # Computed, since lists would be copied from the CPU, and a GPU waited for.
    offset = torch.arange(-1, 2, device=grey.device, dtype=grey.dtype)
    smooth, step = (2.0 - offset.abs()) / 4.0, offset / 2.0
    kernels = torch.stack([smooth[:, None] * step, step[:, None] * smooth])[:, None]  # (2, 1, 3, 3)
    return (F.conv2d(grey, kernels).square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
