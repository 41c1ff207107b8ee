"""What is asked of the process that restores, and what it answers; small enough to be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lumiface.restoration.config import RestoreConfig

Stage = Literal["reading", "finding", "restoring", "surroundings", "writing"]
"""What is being done; `surroundings` is the photograph around the faces."""

Announce = Callable[[Stage, int], None]
"""Takes the stage that begins and the number of faces, 0 where it is not known yet."""

Box = tuple[float, float, float, float]

BEFORE, AFTER, REPORT, PRIOR, TURNTABLE = "before.webp", "after.webp", "report.json", "prior.png", "turn.gif"
"""Files beside a result: both pictures for the screen, the report, the 3D prior and its turntable."""


@dataclass(frozen=True, slots=True)
class Task:
    """One photograph to be worked on.

    Attributes:
        kind: find its faces, or restore it.
        source: the uploaded file.
        name: as the visitor calls it; used in messages only, never as a path.
        folder: where the results go.
        config: options.
        model: name of a trained model.
        boxes: faces given by hand, x, y, width, height in pixels.
        max_megapixels: larger photographs are refused before they are decoded.
        previews: whether pictures for the screen are made, too.
    """

    kind: Literal["find", "restore"]
    source: Path
    name: str
    folder: Path
    config: RestoreConfig = field(default_factory=RestoreConfig)
    model: str | None = None
    boxes: tuple[Box, ...] = ()
    max_megapixels: float = 50.0
    previews: bool = False


class Refused(Exception):
    """The photograph or an option cannot be used; one line for people."""


class Ended(Exception):
    """The process ended before it answered."""


class Faulty(Exception):
    """An unexpected error, i.e. a bug; with the traceback of the process."""


Answer = dict[str, Any]
"""What became of a task, as JSON holds it."""
