"""The trust of all faces of a batch, in a few numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lumiface.restoration.restored import FaceReport


@dataclass(slots=True)
class TrustSummary:
    """Of the faces that were changed.

    Attributes:
        least: the least identity; None if none is known.
        where: the photograph with that face.
        threshold: the identity from which a face counts as the same person.
        lowered: number of faces that the guard restored less.
        below: number of faces whose identity is below the threshold.
        unknown: number of faces of which the photograph shows too little to tell.
    """

    least: float | None = None
    where: Path | None = None
    threshold: float = 0.0
    lowered: int = 0
    below: int = 0
    unknown: int = 0

    def add(self, faces: Iterable[FaceReport], source: Path) -> None:
        """Count the faces of one photograph."""
        for trust in (face.trust for face in faces):
            if trust is None or not trust.changed:
                continue
            self.lowered += trust.strength < trust.asked
            self.unknown += not trust.is_known
            self.below += trust.is_known and not trust.passes
            self.threshold = trust.threshold
            if trust.identity is not None and (self.least is None or trust.identity < self.least):
                self.least, self.where = trust.identity, source

    def merge(self, other: TrustSummary) -> None:
        """Take the faces of another part of the batch."""
        self.lowered += other.lowered
        self.below += other.below
        self.unknown += other.unknown
        self.threshold = max(self.threshold, other.threshold)
        if other.least is not None and (self.least is None or other.least < self.least):
            self.least, self.where = other.least, other.where

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """What, how many faces, and what that means."""
        rows: list[tuple[str, str, str]] = []
        if self.least is not None:
            name = "" if self.where is None else f", {self.where.name}"
            said = f"at least {self.least:.2f}{name}; from {self.threshold:.2f} on it is the same person"
            rows.append(("identity", "", said))
        counted = {
            "lowered": (self.lowered, "restored less, to keep the person; --no-guard turns that off"),
            "in doubt": (self.below, "perhaps no longer the same person"),
            "unknown": (self.unknown, "the photograph shows too little to tell the person"),
        }
        return rows + [(what, str(count), said) for what, (count, said) in counted.items() if count]
