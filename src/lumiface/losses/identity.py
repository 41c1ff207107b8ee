"""Does a restored face stay the same person? Distance of a face recogniser's embeddings.

Paper: blind face restoration by feature fusion and embedding optimisation, section 1.3, equation 7.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.blocks.mobilefacenet import DEVIATION, MEAN, trained_mobilefacenet
from lumiface.core.shapes import require_same_pictures

SIDE = 112
"""Of what the recogniser sees, pixels."""

BOX = (0.118, 0.113, 0.882, 0.877)
"""Where ArcFace's crop lies in a face aligned as FFHQ's are: x1, y1, x2, y2 in the unit square."""


def identity_loss(output: Tensor, target: Tensor) -> Tensor:
    r"""Mean absolute difference of embeddings, :math:`L_{id} = |R(\hat I) - R(I)|_1 / D`.

    Args:
        output, target: (N, D), unit length.

    Raises:
        ValueError: the shapes differ.
    """
    if output.shape != target.shape:
        raise ValueError(f"embeddings {tuple(output.shape)} against {tuple(target.shape)}")
    return (output - target).abs().mean()


class IdentityLoss(nn.Module):
    """`identity_loss` of faces aligned as FFHQ's are; the target has no gradient.

    NOTE(paper): the recogniser is MobileFaceNet, where the paper has ArcFace's ResNet; its embeddings are
    brought to unit length first, so that the loss does not hang on how strongly a face excites it.

    Shape: two of (B, 3, H, H), RGB in [0, 1] -> scalar.

    Raises:
        AssetMissing: the recogniser's weights are not on this machine.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = trained_mobilefacenet()
        self.mean = nn.Buffer(torch.tensor(MEAN)[:, None, None], persistent=False)
        self.deviation = nn.Buffer(torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        require_same_pictures(output, target)
        with torch.no_grad():
            wanted = self.embed(target)
        return identity_loss(self.embed(output), wanted)

    def embed(self, faces: Tensor) -> Tensor:
        """(B, 3, H, H) -> (B, 128), unit length."""
        side = faces.shape[-1]
        left, top, right, bottom = (round(side * edge) for edge in BOX)
        crop = faces[:, :, top:bottom, left:right]
        crop = F.interpolate(crop, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        return F.normalize(self.network((crop - self.mean) / self.deviation))

    def train(self, mode: bool = True) -> IdentityLoss:
        """The recogniser judges and is not taught: its batch norms keep to what they know."""
        super().train(mode)
        self.network.eval()
        return self
