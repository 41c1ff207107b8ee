"""What was done to a photograph, for programs and for the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lumiface.figures.heat import head_ellipse, heat_overlay
from lumiface.imaging.io import Picture, write_picture
from lumiface.restoration.restored import FaceReport, Restored
from lumiface.restoration.trust import Trust

SCREEN = 2560
"""Longest side in pixels of a picture for the screen."""

WORDS = ("good", "care", "doubt")
"""What the figures of a face come to; "untold" where the photograph shows too little of it."""

_QUALITY = 90


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
    """The figures, what they come to in one word, and in sentences for people."""
    figures = trust.as_dict()
    (word,) = (value for value in figures.values() if value in WORDS)
    sentences = {"en": figures.pop("sentence"), "zh": trust.sentence("zh")}
    return {"word": word if trust.identity is not None else "untold", **figures, "sentences": sentences}


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
    """A picture of each face, coloured where it is guessed; None where that was not measured."""
    names: list[str | None] = []
    for number, face in enumerate(faces):
        names.append(None)
        trust = face.trust
        if trust is not None and trust.invention is not None and trust.after is not None:
            names[-1] = f"heat-{number}.png"
            guessed = trust.invention * head_ellipse(trust.invention)
            write_picture(Picture(heat_overlay(trust.after, guessed).cpu()), folder / names[-1])
    return names
