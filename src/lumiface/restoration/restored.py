"""What comes out: the restored photograph, its faces, and what was done to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Generic, Literal, TypeVar

from torch import Tensor

from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.codec.formats import WRITABLE, Format, sniff
from lumiface.imaging.io import Picture
from lumiface.restoration.prior_view import PriorView
from lumiface.restoration.tasks import FaceTaskName
from lumiface.restoration.trust import Trust

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class FaceReport:
    """What was done to one face.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the photograph.
        score: the detector's confidence, 0 to 1.
        before: measures of the face in the photograph.
        treatment: "restored" by the network; "relit": a face that keeps its own detail, or half of it (see
            `MEAN_UP_TO`), because it is large or too dark to read; "unchanged": a face that lacks nothing.
        own_light: 0 to 1, how much of its own light a well-exposed face kept.
        why: the reason in a few words, where the task was chosen for this face or nothing was drawn.
        turned: degrees by which the face lies turned clockwise in the photograph: 0, 90, 180 or 270.
        trust: how far the restored face can be trusted; None where it was not measured.
        drawn: the network's own pixels are in the result, all of them or mixed with those of the photograph.
    """

    box: tuple[float, float, float, float]
    score: float
    before: FaceMeasures
    treatment: Literal["restored", "relit", "unchanged"]
    own_light: float
    why: str = ""
    turned: int = 0
    trust: Trust | None = field(default=None, compare=False)
    drawn: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RestoredFace:
    """A restored face (1, 3, S, S), aligned, what was done to it, and its 3D prior if requested."""

    patch: Tensor
    report: FaceReport
    prior: PriorView | None


@dataclass(frozen=True, slots=True, eq=False)
class Restored(Generic[Kind]):
    """A restored photograph.

    Attributes:
        picture: the result, of the kind that was given: an array for an array, an image of Pillow for one,
            encoded bytes for bytes, an `io.BytesIO` for a file object, a `Picture` for one and for a path.
        scale: size of the result over size of the input.
        task: the task that was performed; with `task="auto"` that of the largest face, None if it lacks
            nothing.
        faces: one report per face.
        notes: remarks for the user, such as NO_FACE, and what of a file could not be used or is not kept
            (for a `Picture`, that is in its `info.remarks`).
        priors: the 3D prior of each face, if `save_prior` is set and the model has one.
    """

    picture: Kind
    scale: int
    task: FaceTaskName | None
    faces: list[FaceReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    priors: list[PriorView] = field(default_factory=list)


def unmarked_notes(picture: Picture, format_: Format | None) -> list[str]:
    """The remark on a file whose format has no place for what `restoration.provenance` says of the result."""
    lost = picture.info.metadata.note is not None and format_ is not None and not WRITABLE[format_].note
    return (
        [f"{format_} has no place for metadata: the result does not say that it was restored"] if lost else []
    )


def hand_back(result: Restored[Picture], back: Callable[[Picture], Kind]) -> Restored[Kind]:
    """The result with its picture as another kind; what that kind does not carry goes to the notes."""
    made = back(result.picture)
    notes = [*result.notes, *result.picture.info.remarks]
    data = made.getvalue() if isinstance(made, BytesIO) else made
    if isinstance(data, bytes):
        notes += unmarked_notes(result.picture, sniff(data[:64]))
    return Restored(made, result.scale, result.task, result.faces, notes, result.priors)
