"""Identity loss: distance of a face recogniser's embeddings.

Paper: blind face restoration by feature fusion and embedding optimisation, section 1.3, equation 7.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.blocks.mobilefacenet import DEVIATION, MEAN, trained_mobilefacenet
from lumiface.core.shapes import require_same_pictures
from lumiface.losses.features_of_both import features_of_both
from lumiface.losses.recognition_crop import BOX, SIDE


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
    """`identity_loss` of faces aligned as in FFHQ; the target gets no gradient.

    NOTE(paper): the recogniser is MobileFaceNet instead of the paper's ArcFace ResNet; its embeddings are
    normalised to unit length, so that the loss does not depend on their magnitude.

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
        (ours,), (theirs,) = features_of_both(lambda faces: [self.embed(faces)], output, target)
        return identity_loss(ours, theirs)

    def embed(self, faces: Tensor) -> Tensor:
        """(B, 3, H, H) -> (B, 128), unit length."""
        size = faces.shape[-1]
        left, top, right, bottom = (round(size * edge) for edge in BOX)
        crop = faces[:, :, top:bottom, left:right]
        crop = F.interpolate(crop, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        embeddings = self.network((crop - self.mean) / self.deviation)
        return F.normalize(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))

    def train(self, mode: bool = True) -> IdentityLoss:
        """The recogniser is never trained: its batch norms stay in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self
