"""What is around the faces of a photograph, in the light of the restored faces."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.faces.face import Face
from lumiface.imaging.border import frame_mask
from lumiface.restoration.light.relight import relight
from lumiface.restoration.light.tone_curve import fallback_curve
from lumiface.restoration.light.tone_map import tone_of_faces, uniform_tone


def light_surroundings(
    rgb: Tensor, quiet: Tensor, faces: list[Face], patches: list[Tensor], kept: list[float]
) -> Tensor:
    """Relight a photograph; a frame around it, which is paper, keeps its own light.

    Args:
        rgb: (1, 3, H, W).
        quiet: the same without its noise.
        faces: without any, shadows are lifted a little.
        patches: each face restored, (1, 3, S, S).
        kept: 0 to 1, how much of its own light each face kept.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    tone = tone_of_faces(quiet, faces, patches, kept) if faces else uniform_tone(fallback_curve(rgb))
    lit, frame = relight(rgb, tone, quiet), frame_mask(rgb)
    return lit if frame is None else torch.where(frame, rgb, lit)
