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

LEAST_DETAIL = 16.0
"""Effective resolution of a face, pixels, below which the person cannot be told: half of such photographs are
no nearer to the true face than 0.20 by EdgeFace, at 12 pixels than 0.11 (`python benchmarks/trust.py limits`;
two people have 0.03, with a deviation of 0.1)."""

LARGE, LEAST_LIGHT_SMALL = 48.0, 0.027
"""Effective resolution, pixels, of a large face, which can be told where it is readable, and least light of
a smaller one: at 32 pixels EdgeFace has 0.29 at a light of 0.038, 0.15 at 0.020, and so 0.20 here."""

SEEN = 147
"""Side of the aligned square of which the recogniser sees the middle, at its own size, pixels."""


class Recogniser:
    """The shipped face recogniser.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device) -> None:
        self.network = load_model(NAME, device, kind=NAME)

    @torch.inference_mode()
    def __call__(self, faces: Sequence[Tensor]) -> Tensor:
        """Aligned faces, (1, 3, S, S) each, of any sizes, in [0, 1] -> (N, D), unit length."""
        crops = torch.cat([recognition_crop(face) for face in faces])
        return self.network(equalise_exposure(crops))


def photographed_face(rgb: Tensor, face: Face) -> Tensor:
    """The aligned face in a photograph (1, 3, H, W), at the size at which it is recognised."""
    return crop_face(rgb, face_matrix(face), SEEN)


def can_be_told(measured: FaceMeasures) -> bool:
    """Whether a face shows enough to tell the person."""
    detail = own_detail(measured)
    is_lit = is_readable(measured) and (detail >= LARGE or measured.light >= LEAST_LIGHT_SMALL)
    return is_lit and detail >= LEAST_DETAIL
