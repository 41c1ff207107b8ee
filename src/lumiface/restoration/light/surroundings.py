"""What is around the faces of a photograph, in the light of the restored faces."""

from __future__ import annotations

from torch import Tensor

from lumiface.faces.face import Face
from lumiface.imaging.border import copy_frame
from lumiface.restoration.light.relight import relight
from lumiface.restoration.light.tone_curve import fallback_curve
from lumiface.restoration.light.tone_map import ToneMap, tone_of_faces, uniform_tone


def tone_of_surroundings(
    rgb: Tensor, quiet: Tensor, faces: list[Face], patches: list[Tensor], kept: list[float]
) -> ToneMap:
    """The light that is given around the faces.

    Args:
        rgb: (1, 3, H, W).
        quiet: the same without its noise; the result takes its place, unless it is `rgb` itself.
        faces: without any, shadows are lifted a little.
        patches: each face restored, (1, 3, S, S).
        kept: 0 to 1, how much of its own light each face kept.
    """
    if not faces:
        return uniform_tone(fallback_curve(rgb[..., :, :]))
    return tone_of_faces(quiet, faces, patches, kept)


def light_surroundings(rgb: Tensor, quiet: Tensor, tone: ToneMap) -> Tensor:
    """Relight a photograph; a frame around it, which is paper, keeps its own light.

    Args:
        rgb: (1, 3, H, W).
        quiet: the same without its noise; overwritten.
        tone: see `tone_of_surroundings`.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    return copy_frame(rgb, relight(rgb, tone, quiet, in_place=True))
