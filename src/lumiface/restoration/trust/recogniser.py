"""Identity of a restored face: the cosine of its embedding and that of the face in the photograph.

Both faces are lit to the same mean by a gamma curve, so that darkness alone makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures, is_readable
from lumiface.losses.recognition_crop import equalise_exposure, recognition_crop
from lumiface.registry import load_model
from lumiface.restoration.tasks import own_detail

NAME = "face-embedder"

THRESHOLD = 0.6
"""Identity from which a restored face counts as the person in the photograph: above the 99.9 % quantile of
two people, below the 1 % quantile of one (`python benchmarks/trust.py threshold`)."""

LEAST_SIDE, LEAST_DETAIL = 18.0, 13.0
"""Side and effective resolution of a face, pixels, below which the person cannot be recognised: there the
median identity of the photograph itself with the true face is below `THRESHOLD` (0.74 at a side of 24, 0.55
at 16; 0.62 at a detail of 13; `python benchmarks/trust.py limits`)."""

LARGE, LEAST_LIGHT, LEAST_LIGHT_SMALL = 48.0, 0.027, 0.055
"""Effective resolution of a large face, pixels, and by the same rule the least light of a large and a small
face (0.72 at a light of 0.040 with 64 pixels, 0.55 at 0.022; 0.71 at 0.078 with 32 pixels, 0.53 at 0.040)."""

SEEN = 147
"""Side of the aligned square of which the recogniser sees the middle, at its own size, pixels."""


class Recogniser:
    """The shipped face recogniser.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device) -> None:
        network = load_model(NAME, device, kind=NAME)
        self.network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @torch.inference_mode()
    def __call__(self, faces: Sequence[Tensor]) -> Tensor:
        """Aligned faces, (1, 3, S, S) each, of any sizes, in [0, 1] -> (N, D), unit length."""
        crops = torch.cat([recognition_crop(face) for face in faces])
        return self.network(equalise_exposure(crops).contiguous(memory_format=torch.channels_last))


def photographed_face(rgb: Tensor, face: Face) -> Tensor:
    """The aligned face in a photograph (1, 3, H, W), at the size at which it is recognised."""
    return crop_face(rgb, face_matrix(face), SEEN)


def can_be_recognised(measured: FaceMeasures) -> bool:
    """Whether a face shows enough to tell the person."""
    detail = own_detail(measured)
    is_lit = measured.light >= (LEAST_LIGHT if detail >= LARGE else LEAST_LIGHT_SMALL)
    return is_readable(measured) and is_lit and measured.side >= LEAST_SIDE and detail >= LEAST_DETAIL
