"""The tone curves of all faces of a photograph, each in force around its face, blended between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix, invert, native_side
from lumiface.faces.face import Face
from lumiface.faces.measure import inner_face
from lumiface.imaging.coarse import CoarsePlanes
from lumiface.imaging.light import strongest
from lumiface.imaging.strips import Tile, whole
from lumiface.restoration.light.tone_curve import ToneCurve, curve_gain, fit_curve, shadow_gain

_CELLS = 64  # the parameters are blended on a grid of this many cells along the longer side
_REACH = 0.6  # distance, in sides of its square, at which the influence of a face has fallen to a quarter
_SAMPLES = 24  # a face is compared before and after on a grid of this size
_AROUND = 0.1  # weight of hair and background against that of the skin, in fitting its curve


@dataclass(frozen=True, slots=True, eq=False)
class ToneMap:
    """A tone curve at every place of a picture.

    Attributes:
        parameters: (1, 4, h, w): log of the largest gain, power, saturation, end of the shadows; on a coarse
            grid over the picture.
    """

    parameters: Tensor

    def gains(self, base: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and saturation of every pixel of a whole picture, both (1, 1, H, W).

        Args:
            base, own: as of `at` and `Tone.gain`.
        """
        tone = self.at(base, whole(*base.shape[-2:]))
        gain = tone.gain(own)
        return gain, tone.saturation_of(gain)

    def at(self, base: Tensor, tile: Tile) -> Tone:
        """The tone of a tile with its halo.

        Args:
            base: (1, 1, h, w) strongest channel in [0, 1] without fine detail: decides the gain, so that the
                contrast of the detail is kept.
        """
        cells = self.parameters.to(base)
        size = (tile.height / cells.shape[-2], tile.width / cells.shape[-1])
        log_largest, power, saturation, shadow_end = CoarsePlanes(cells, size).at(tile).split(1, dim=1)
        return Tone(curve_gain(base, log_largest.exp(), power), saturation, base, shadow_end)


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """The tone of every pixel of a part of a picture; all (1, 1, h, w).

    Attributes:
        full: the gain without its fall towards black.
        saturation: the factor on colour where the gain is large.
        base: what decided the gain.
        shadow_end: see `ToneCurve`.
    """

    full: Tensor
    saturation: Tensor
    base: Tensor
    shadow_end: Tensor

    def gain(self, own: Tensor) -> Tensor:
        """The gain; `own`: strongest channel of the pixels: what is black by itself stays so."""
        return shadow_gain(self.full, torch.minimum(self.base, own), self.shadow_end)

    def saturation_of(self, gain: Tensor) -> Tensor:
        """The factor on colour; where the gain is 1, saturation does not change either."""
        return 1.0 + (self.saturation - 1.0) * ((gain - 1.0).abs() * 2.0).clamp(max=1.0)

    def part(self, cut: Callable[[Tensor], Tensor]) -> Tone:
        """Of a part of the planes."""
        return Tone(cut(self.full), cut(self.saturation), cut(self.base), cut(self.shadow_end))


def uniform_tone(curve: ToneCurve) -> ToneMap:
    """One curve for the whole picture."""
    return ToneMap(_parameters([curve])[..., None])


def tone_of_faces(
    rgb: Tensor, faces: Sequence[Face], patches: Sequence[Tensor], own_light: Sequence[float]
) -> ToneMap:
    """The curve of each face from what was done to it, in force around the face.

    A face in the shade gets its light, and so do the hair and neck around it; a lit face beside it keeps its
    own, with all that surrounds it.

    Args:
        rgb: (1, 3, H, W), the photograph before.
        patches: the aligned faces after, (1, 3, S, S) each.
        own_light: how much of its own light each face kept, 0 to 1; one that kept all has the identity.
    """
    curves, brightest = list[ToneCurve](), _brightest(rgb)
    weights = (inner_face(_SAMPLES, torch.device("cpu")) * (1.0 - _AROUND) + _AROUND).flatten()
    for face, patch, own in zip(faces, patches, own_light, strict=True):
        if own >= 1.0:
            curves.append(ToneCurve())
            continue
        before = crop_face(rgb, face_matrix(face), _SAMPLES).clamp(0.0, 1.0)
        after = F.interpolate(patch, size=(_SAMPLES, _SAMPLES), mode="area")
        curves.append(
            fit_curve(before.flatten(2)[0].T.cpu(), after.flatten(2)[0].T.cpu(), weights, brightest)
        )
    return ToneMap(_blend(curves, faces, rgb.shape[-2], rgb.shape[-1]))


def _brightest(rgb: Tensor) -> float:
    """The brightness that a hundredth of a picture exceeds."""
    step = max(1, math.isqrt(rgb.shape[-2] * rgb.shape[-1] // 100_000))
    return float(strongest(rgb[..., ::step, ::step]).quantile(0.99))


def _blend(curves: Sequence[ToneCurve], faces: Sequence[Face], height: int, width: int) -> Tensor:
    """(1, 4, h, w): means of the parameters, with weights that fall with the distance from each face.

    The log of the gain is linear in the two that set it, so that mixing them mixes the gains.
    """
    cell = max(1.0, max(height, width) / _CELLS)
    grid = (max(1, round(height / cell)), max(1, round(width / cell)))
    y = (torch.arange(grid[0]) + 0.5)[:, None] * (height / grid[0])
    x = (torch.arange(grid[1]) + 0.5)[None, :] * (width / grid[1])
    weights: list[Tensor] = []
    for face in faces:
        centre = invert(face_matrix(face)) @ torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64)
        reach = _REACH * native_side(face)
        distance = ((x - float(centre[0])).square() + (y - float(centre[1])).square()) / reach**2
        weights.append((1.0 + distance) ** -2)
    share = torch.stack(weights)  # (faces, h, w)
    return torch.einsum("pf,fhw->phw", _parameters(curves)[0], share / share.sum(dim=0))[None]


def _parameters(curves: Sequence[ToneCurve]) -> Tensor:
    """(1, 4, faces), in the order of `ToneMap.parameters`."""
    rows = [
        (math.log(curve.largest_gain), curve.power, curve.saturation, curve.shadow_end) for curve in curves
    ]
    return torch.tensor(rows).T[None]
