"""The rows of an evaluation's table, and the table with the way in which it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lumiface.evaluation.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Row:
    """One method's row of the table.

    Attributes:
        method: its name, or a reference's.
        scores: metric -> mean over the pictures, or distance of the sets; None where it is infinite (PSNR of
            an output equal to its target) or cannot be measured on this machine or at this size.
        intervals: metric -> 95 % interval of the mean over the choice of pictures (bootstrap); None for
            metrics of sets.
        measured: metric -> number of pictures that have a score.
        images: number of pictures.
        sums: of the pictures without a face: `no_face_in_target`, whose target has none for the detector, and
            `no_face_in_output`, whose target has a face and whose output has none.
        ms_per_face: time of the method alone, milliseconds.
        params: number of trained parameters.
    """

    method: str
    scores: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    measured: Mapping[str, int]
    images: int
    sums: Mapping[str, int]
    ms_per_face: float
    params: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values: METRIC for each, then METRIC_ci, and the counts."""
        row: dict[str, Any] = {"method": self.method, **self.scores, "images": self.images}
        row |= {f"{metric}_ci": interval for metric, interval in self.intervals.items()}
        if "landmark_px" in self.measured:
            row["landmark_images"] = self.measured["landmark_px"]
        return row | dict(self.sums) | {"ms_per_face": self.ms_per_face, "params": self.params}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The table: how it was measured, its rows, and what could not be measured.

    Attributes:
        metrics: of the table, in order; a row may lack a score.
        names: of each picture, in order.
        parameters: of each picture's degradation, where it is synthetic.
        per_image: method -> metric -> one score per picture; None where it could not be measured.
    """

    protocol: dict[str, Any]
    metrics: tuple[str, ...]
    rows: list[Row]
    notes: list[str]
    names: list[str]
    parameters: list[Mapping[str, float | int]]
    per_image: dict[str, dict[str, list[float | None]]]

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file."""
        notes = {"notes": self.notes} if self.notes else {}
        return {"protocol": self.protocol | notes, "rows": [row.as_dict() for row in self.rows]}
