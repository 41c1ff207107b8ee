"""Scores of any folder of results, whoever made them: paired with a reference by name, or on their own."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lumiface.core.errors import AssetMissing, InputError
from lumiface.data.sources import open_source
from lumiface.evaluation.bootstrap import RESAMPLES, bootstrap_interval
from lumiface.evaluation.gather import Gathered, batches
from lumiface.evaluation.metric_suite import METRICS, MetricSuite
from lumiface.evaluation.pairing import first_few, pair_sources, read_pairs
from lumiface.evaluation.provenance import data_name, origin, pairs_hash
from lumiface.metrics.frechet import frechet_distance

_INTERVAL = f"95 % interval of the mean, bootstrap over the pictures, {RESAMPLES} resamples, seed 0"


@dataclass(frozen=True, slots=True)
class Score:
    """One number of the table.

    Attributes:
        value: mean over the pictures, or the distance of the sets; None where it is not finite or nothing
            could be measured.
        interval: 95 % interval of the mean over the choice of pictures (bootstrap); None for sets.
        images: how many pictures it is of.
    """

    value: float | None
    interval: tuple[float, float] | None
    images: int


@dataclass(frozen=True, slots=True)
class FolderScores:
    """What was found.

    Attributes:
        names: of the scored results.
        columns: measure -> one number a result, NaN where it could not be measured.
        scores: measure -> its line of the table.
        notes: what is not measured, and why.
        failed: one line for each picture that could not be scored.
        without_reference: names of results without a partner.
        without_result: names of references without one.
    """

    protocol: dict[str, Any]
    names: list[str]
    columns: dict[str, list[float]]
    scores: dict[str, Score]
    notes: list[str]
    failed: list[str]
    without_reference: list[str]
    without_result: list[str]

    @property
    def all_well(self) -> bool:
        return not (self.failed or self.without_reference or self.without_result)

    def as_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        scores = {
            name: {"value": score.value, "images": score.images}
            | ({"ci": score.interval} if METRICS[name].needs != "set" else {})
            for name, score in self.scores.items()
        }
        return {
            "protocol": self.protocol,
            "scores": scores,
            "notes": self.notes,
            "failed": self.failed,
            "without_reference": self.without_reference,
            "without_result": self.without_result,
        }

    def as_csv(self) -> str:
        """One line a picture; empty where a measure could not be taken, `inf` for the PSNR of equal ones."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", *self.columns])
        for row, name in enumerate(self.names):
            numbers = (column[row] for column in self.columns.values())
            writer.writerow([name, *("" if math.isnan(number) else repr(number) for number in numbers)])
        return text.getvalue()


def score_folder(
    results: str | Path,
    reference: str | Path | None = None,
    *,
    distance_to: str | Path | None = None,
    device: torch.device | str = "cpu",
    batch: int = 16,
    progress: Callable[[int, int | None], None] | None = None,
) -> FolderScores:
    """Score pictures with everything that this machine can measure; see `metric_suite`.

    Pictures are taken as 8-bit RGB; `engine.pairing` says which belong together. What cannot be read, or is
    of another size than its reference, is a line in `failed`, and the others are scored.

    Args:
        results: folder, tar or picture.
        reference: likewise; None: only measures that need no reference.
        distance_to: likewise; the set to which Fréchet distances are taken, paired with nothing; None: the
            references.
        batch: pictures measured at once, fewer where they are large.
        progress: called with (pictures done, pictures in all).

    Raises:
        InputError: a source cannot be read, no result has a reference, or nothing could be scored.
        AssetMissing: without a reference, nothing can be measured on this machine.
    """
    device = torch.device(device)
    ours = open_source(results)
    theirs = None if reference is None else open_source(reference)
    pairing = pair_sources(ours, theirs)
    failed = pairing.ambiguous
    instruments = MetricSuite(
        device, with_reference=theirs is not None, with_sets=(reference or distance_to) is not None
    )
    if not instruments.names:
        raise AssetMissing("; ".join(instruments.notes))
    gathered = Gathered()
    for chunk in batches(read_pairs(ours, theirs, pairing.pairs, failed), batch):
        gathered.add(chunk, instruments, pairs_are_sets=distance_to is None)
        if progress is not None:
            progress(len(gathered.names), len(pairing.pairs))
    if not gathered.names:
        raise InputError(f"{data_name(results)}: no picture could be scored ({first_few(failed)})")
    others = len(gathered.names)
    if distance_to is not None:
        good = open_source(distance_to)
        others = len(good)
        for chunk in batches(read_pairs(good, None, pair_sources(good, None).pairs, failed), batch):
            gathered.compare_with(chunk, instruments)
    columns = {name: torch.cat(gathered.parts[name]).numpy() for name in gathered.parts}
    scores = _scores(instruments.names, columns, gathered)
    conventions = {name: METRICS[name].convention for name in scores}
    protocol: dict[str, Any] = {
        "name": "score",
        "results": data_name(results),
        "reference": None if reference is None else data_name(reference),
        "distance_to": None if distance_to is None else data_name(distance_to),
        "images": len(gathered.names),
        "no_face_in_target": instruments.no_face_in_target,
        "no_face_in_output": instruments.no_face_in_output,
        "conventions": conventions | {"pictures": "8-bit RGB files", "ci": _INTERVAL},
        "pairs_sha256": pairs_hash(gathered.hashes),
        **origin(device, batch),
    }
    return FolderScores(
        protocol,
        gathered.names,
        {name: column.tolist() for name, column in columns.items()},
        scores,
        instruments.notes + _gaps(scores, columns, len(gathered.names), others),
        failed,
        pairing.without_reference,
        pairing.without_result,
    )


def _scores(
    names: Sequence[str], columns: dict[str, npt.NDArray[np.float64]], gathered: Gathered
) -> dict[str, Score]:
    """The table's lines; what could not be measured of any picture has `images` 0."""
    scores: dict[str, Score] = {}
    for name in names:
        if METRICS[name].needs == "set":
            ours, theirs = gathered.ours.get(name, []), gathered.theirs.get(name, [])
            count, others = (sum(len(part) for part in side) for side in (ours, theirs))
            are_sets = min(count, others) > 1
            value = frechet_distance(torch.cat(ours), torch.cat(theirs)).item() if are_sets else None
            scores[name] = Score(value, None, count if are_sets else 0)
            continue
        known = columns[name][~np.isnan(columns[name])]
        mean = float(known.mean()) if len(known) else math.nan
        interval = bootstrap_interval(known, seed=0) if len(known) else None
        scores[name] = Score(mean if math.isfinite(mean) else None, interval, len(known))
    return scores


def _gaps(
    scores: dict[str, Score], columns: dict[str, npt.NDArray[np.float64]], images: int, others: int
) -> list[str]:
    """One line for each measure that some or all pictures lack; `others` are in the set compared with."""
    lines: list[str] = []
    for name, score in scores.items():
        measure, missing = METRICS[name], images - score.images
        if missing:
            why = f"smaller than {measure.least_side} pixels" + (f", or {measure.gap}" if measure.gap else "")
            if measure.needs == "set" and min(images, others) < 2:
                why = "a set is two or more"
            lines.append(f"{name}: not measured of {missing} of {images} pictures ({why})")
        if name in columns and (equal := int(np.isinf(columns[name]).sum())):
            lines.append(
                f"{name}: {equal} of {images} pictures equal their reference, so that there is no mean"
            )
    return lines
