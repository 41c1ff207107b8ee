"""The invention map: the error to be expected of each pixel of a restored face.

A network that draws what the photograph does not show draws it otherwise when the photograph changes a
little (`variations`). How much, and how much fine structure there is, predicts the error: its logarithm is
linear in the logarithms of the features below, with weights fitted on faces whose truth is known
(`python benchmarks/trust.py fit`, which writes `invention.json`).

The error is that of what is drawn, not of the light, which no dark photograph tells: before they are
compared, each channel of the output gets the gain and the offset that bring the skin closest to the truth.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.resample import resize
from lumiface.faces.measure import FaceMeasures, inner_face
from lumiface.imaging.color import luma
from lumiface.losses.recognition_crop import equalise_exposure
from lumiface.restoration.tasks import own_detail

SIDE = 128
"""Side at which the map is made, pixels; it is enlarged to the face's own."""

SMOOTHING = 3.0
"""Standard deviation in pixels at `SIDE` over which errors and features are averaged; an eye is some 18
pixels wide."""

COARSE = 8.0
"""The same of what counts as light and not as detail in the difference to the photograph."""

FINE = 2.0
"""The same of the mean about which contrast is measured."""

PLACES = 16
"""Side of the map of the error by place."""

FEATURES = ("variation", "contrast", "change", "place", "light", "detail")
"""variation: standard deviation over the variations; contrast: of the output about its own mean; change:
against the photograph, both lit to one mean, detail only; place: how large errors are there in other faces;
light, detail (effective resolution over `SIDE`): of the whole face in the photograph."""

FLOOR = 2e-3
"""Added before a logarithm: half a level of 8 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What was fitted.

    Attributes:
        weights: (F,) of the logarithms of `FEATURES`.
        bias: of the logarithm of the error.
        place: (16, 16), mean logarithm of the error by place, over that of the face.
    """

    weights: Tensor
    bias: float
    place: Tensor


@cache
def calibration() -> Calibration:
    """The one that ships."""
    text = (resources.files("lumiface.restoration.trust") / "invention.json").read_text(encoding="utf-8")
    read = json.loads(text)
    weights = torch.tensor([read["weights"][name] for name in FEATURES])
    return Calibration(weights, read["bias"], torch.tensor(read["place"]))


def invention_map(
    output: Tensor, variants: Sequence[Tensor], photographed: Tensor, measured: FaceMeasures
) -> Tensor:
    """The expected error of each pixel of a restored face.

    Args:
        output: (1, 3, S, S), the restored face.
        variants: the same under small changes of the photograph.
        photographed: (1, 3, s, s), the face in the photograph.
        measured: its measures.

    Returns:
        (1, 1, S, S) in [0, 1]; see `error_map` for what is expected.
    """
    values = features(output, variants, photographed, measured, calibration().place)
    side = output.shape[-1]
    return resize(expected_error(values, calibration()), (side, side)).clamp(0.0, 1.0)


def expected_error(values: Tensor, fitted: Calibration) -> Tensor:
    """Features (F, 128, 128) -> the map (1, 1, 128, 128) in [0, 1]."""
    logarithm = (values * fitted.weights.to(values)[:, None, None]).sum(0) + fitted.bias
    return (logarithm.exp() - FLOOR)[None, None].clamp(0.0, 1.0)


def features(
    output: Tensor, variants: Sequence[Tensor], photographed: Tensor, measured: FaceMeasures, place: Tensor
) -> Tensor:
    """The logarithms of `FEATURES`, (F, 128, 128); arguments as of `invention_map` and `Calibration`."""
    base, photograph = at_side(output), at_side(photographed)
    light = luma(base)
    varied = torch.cat([luma(at_side(variant)) for variant in variants])
    change = luma(equalise_exposure(base)) - luma(equalise_exposure(photograph))
    planes = [
        smooth((varied - light).square().mean(0, keepdim=True)).sqrt(),
        smooth((light - smooth(light, FINE)).square()).sqrt(),
        smooth((change - smooth(change, COARSE)).square()).sqrt(),
    ]
    detail = min(own_detail(measured), SIDE) / SIDE
    logarithms = [(plane.clamp(min=0.0) + FLOOR).log() for plane in planes]
    logarithms.append(F.interpolate(place.to(base)[None, None], size=(SIDE, SIDE), mode="bicubic"))
    logarithms += [torch.full_like(light, value + FLOOR).log() for value in (measured.light, detail)]
    return torch.cat(logarithms)[:, 0]


def error_map(output: Tensor, truth: Tensor) -> Tensor:
    """The true error, (1, 1, 128, 128): absolute, mean of the channels, smoothed; the light set right."""
    base, target = at_side(output), at_side(truth)
    skin = inner_face(SIDE, base.device).flatten() > 0
    channels: list[Tensor] = []
    for own, wanted in zip(base[0], target[0], strict=True):
        design = torch.stack([own.flatten(), torch.ones_like(own).flatten()], dim=1)
        fit = torch.linalg.lstsq(design[skin], wanted.flatten()[skin, None]).solution
        channels.append((design @ fit).view_as(own))
    return smooth((torch.stack(channels)[None] - target).abs().mean(1, keepdim=True))


def at_side(faces: Tensor) -> Tensor:
    """Faces (1, 3, S, S) at the size of the map."""
    return resize(faces.float(), (SIDE, SIDE)).clamp(0.0, 1.0)


def smooth(planes: Tensor, deviation: float = SMOOTHING) -> Tensor:
    """(B, 1, H, W), smoothed by a Gaussian."""
    sigma = torch.full((len(planes),), deviation, device=planes.device)
    return blur(planes, gaussian_kernels(sigma, sigma, torch.zeros_like(sigma), blur_radius(deviation)))
