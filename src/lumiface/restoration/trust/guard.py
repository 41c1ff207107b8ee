"""The guard: a face that no longer shows the same person is restored less, until it does."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.face import Face
from lumiface.restoration.light.transfer import give_light, transfer_light
from lumiface.restoration.trust.recogniser import THRESHOLD, Recogniser

STEPS = (0.75, 0.5, 0.25, 0.0)
"""Strengths that are tried, one after the other."""

COARSE = 64
"""Side of the copy of the face from which its light is carried over, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    """A patch (1, 3, S, S) whose strength was lowered, that strength, and the identity it has."""

    patch: Tensor
    strength: float
    identity: float


def lower_strength(
    quiet: Tensor, face: Face, patch: Tensor, photographed: Tensor, recogniser: Recogniser
) -> Guarded:
    """Blend a restored face with its own, relit pixels: the highest of `STEPS` at which it passes.

    The light of the own pixels is that of the restored face, place by place, and brings some of its features
    along. Where even they do not pass, they get one gain for the whole face.

    Args:
        quiet: the photograph (1, 3, H, W) without its noise.
        patch: (1, 3, S, S), the restored face.
        photographed: (D,) the embedding of the face in the photograph.

    Returns:
        The blend; where none passes, the own pixels.
    """
    own = own_pixels(quiet, face, patch)
    blends = [own.lerp(patch, strength) for strength in STEPS]
    blends.append(give_light(crop_face(quiet, face_matrix(face), patch.shape[-1])))
    identities = (recogniser(blends) @ photographed).tolist()
    passing = [index for index, identity in enumerate(identities) if identity >= THRESHOLD]
    chosen = passing[0] if passing else len(STEPS)
    return Guarded(blends[chosen], (*STEPS, 0.0)[chosen], identities[chosen])


def own_pixels(quiet: Tensor, face: Face, patch: Tensor) -> Tensor:
    """The face in the photograph, with the light of the restored one and nothing drawn, at its size."""
    matrix, size = face_matrix(face), patch.shape[-1]
    small = crop_face(quiet, matrix, min(COARSE, size))
    return transfer_light(crop_face(quiet, matrix, size), small, patch)
