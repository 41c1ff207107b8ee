"""What a report holds of one photograph; small, so that a process can send it to another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.figures.data_uri import webp
from lumiface.figures.heat import head_ellipse, heat_overlay
from lumiface.imaging.quantize import to_uint8
from lumiface.losses.recognition_crop import EXPOSURE, equalise_exposure

if TYPE_CHECKING:
    from lumiface.restoration.restored import FaceReport, Restored
    from lumiface.restoration.trust import Trust

SIDE = 224
"""Side of the faces of a report, pixels."""


@dataclass(frozen=True, slots=True)
class FaceEntry:
    """One face.

    Attributes:
        figures: for programs, JSON's types only.
        heading, sentence, verdict: for people, in English.
        pictures: caption -> WebP of the aligned face.
    """

    figures: dict[str, Any]
    heading: str
    sentence: str
    verdict: str
    pictures: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def doubt(self) -> float:
        """Sorts faces, the least trustworthy first."""
        identity = self.figures.get("identity")
        return -1.0 if identity is None else float(identity)


@dataclass(frozen=True, slots=True)
class PhotographEntry:
    """One photograph: its name, what was done, and its faces."""

    name: str
    task: str
    notes: tuple[str, ...]
    faces: tuple[FaceEntry, ...]


def photograph_entry(name: str, restored: Restored[Any]) -> PhotographEntry:
    """The entry of a restored photograph."""
    done = f"{restored.task or ('unchanged' if restored.faces else 'light only')} x{restored.scale}"
    faces = tuple(_face_entry(face) for face in restored.faces)
    return PhotographEntry(name, done, tuple(restored.notes), faces)


def _face_entry(face: FaceReport) -> FaceEntry:
    measured, trust = face.before, face.trust
    figures: dict[str, Any] = {
        "box": [round(value, 1) for value in face.box],
        "score": round(face.score, 3),
        "treatment": face.treatment,
        "why": face.why,
        "turned": face.turned,
        "side_px": round(measured.side, 1),
        "light": round(measured.light, 4),
        "detail_px": round(measured.detail, 1),
    }
    if trust is None:
        return FaceEntry(figures, "not measured", face.why or "Nothing was drawn.", "care")
    figures |= trust.as_dict() | {"sentence_zh": trust.sentence("zh")}
    return FaceEntry(figures, trust.heading(), trust.sentence(), trust.verdict, _pictures(trust))


def _pictures(trust: Trust) -> dict[str, bytes]:
    if trust.before is None or trust.after is None:
        return {}
    shown = {"photograph": trust.before}
    if trust.changed and float(trust.before.mean()) < EXPOSURE:
        shown["only brightened"] = equalise_exposure(trust.before)
    if trust.changed:
        shown["restored"] = trust.after
    if trust.invention is not None:
        shown["guessed"] = heat_overlay(trust.after, trust.invention * head_ellipse(trust.invention))
    return {caption: _encoded(picture) for caption, picture in shown.items()}


@torch.inference_mode()
def _encoded(picture: Tensor) -> bytes:
    small = F.interpolate(
        picture.detach().cpu().float(), (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False
    )
    return webp(to_uint8(small.clamp(0.0, 1.0))[0].permute(1, 2, 0).numpy(), lossless=False)
