"""What was done to a photograph, for programs and for the page."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.io import Picture, write_picture
from lumiface.restoration.restored import FaceReport, Restored
from lumiface.restoration.trust import Trust

SCREEN = 2560
"""Longest side in pixels of a picture for the screen."""

_QUALITY = 90
_COLOURS = (
    (0.0, (68, 1, 84)),
    (0.25, (59, 82, 139)),
    (0.5, (33, 145, 140)),
    (0.75, (94, 201, 98)),
    (1.0, (253, 231, 37)),
)
_STRONGEST = 0.25  # expected error of a pixel that gets the last colour


def face_record(face: FaceReport) -> dict[str, Any]:
    """A face's report as JSON holds it."""
    return {
        "box": [round(value, 1) for value in face.box],
        "score": round(face.score, 4),
        "treatment": face.treatment,
        "why": face.why,
        "turned": face.turned,
        "own_light": round(face.own_light, 4),
        "before": {
            "side": round(face.before.side, 1),
            "light": round(face.before.light, 4),
            "detail": round(face.before.detail, 1),
            "noise": round(face.before.noise, 2),
            "blocks": round(face.before.blocks, 2),
        },
        "trust": None if face.trust is None else _figures(face.trust),
    }


def _figures(trust: Trust) -> dict[str, Any]:
    figures = trust.as_dict()
    return {"word": figures.pop("verdict"), **figures}


def restored_record(restored: Restored[Picture]) -> dict[str, Any]:
    """A restored photograph's report as JSON holds it."""
    height, width = restored.picture.rgb.shape[-2:]
    return {
        "width": width,
        "height": height,
        "scale": restored.scale,
        "task": restored.task,
        "format": restored.picture.info.format,
        "faces": [face_record(face) for face in restored.faces],
        "notes": [*restored.notes, *restored.picture.info.remarks],
    }


def write_for_screen(picture: Picture, path: Path) -> None:
    """A picture that every browser shows, at most `SCREEN` pixels long."""
    height, width = picture.rgb.shape[-2:]
    factor = SCREEN / max(height, width)

    def fitted(planes: Tensor) -> Tensor:
        if factor >= 1.0:
            return planes
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        return F.interpolate(planes, size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)

    alpha = None if picture.alpha is None else fitted(picture.alpha)
    write_picture(Picture(fitted(picture.rgb), alpha), path, quality=_QUALITY)


def write_heat_maps(faces: list[FaceReport], folder: Path) -> list[str | None]:
    """A picture of each face's expected error, dark blue: none, yellow: much; None where there is no map."""
    names: list[str | None] = []
    for number, face in enumerate(faces):
        found = None if face.trust is None else face.trust.invention
        names.append(None if found is None else f"heat-{number}.png")
        if found is not None:
            write_picture(Picture(heat(found)), folder / f"heat-{number}.png")
    return names


def heat(error: Tensor) -> Tensor:
    """Expected error (1, 1, S, S) in [0, 1] -> colours (1, 3, S, S), even in lightness."""
    value = (error.float().cpu() / _STRONGEST).clamp(0.0, 1.0)
    result = torch.zeros(1, 3, *error.shape[-2:])
    for (low, start), (high, end) in pairwise(_COLOURS):
        inside = (value >= low) & (value <= high)
        share = ((value - low) / (high - low)).clamp(0.0, 1.0)
        first, last = (torch.tensor(colour).view(1, 3, 1, 1) / 255.0 for colour in (start, end))
        result = torch.where(inside, first + share * (last - first), result)
    return result
