"""Scores of a folder of results of any origin: paired with a reference by name, or without a reference."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lumiface.core.errors import AssetMissing, InputError
from lumiface.data.benchmarks.llf import pixel_sha256
from lumiface.data.sources import PictureSource, open_source
from lumiface.evaluation.accumulate import Score, ScoreAccumulator
from lumiface.evaluation.batches import batches_of_one_size, stack_images
from lumiface.evaluation.bootstrap import RESAMPLES
from lumiface.evaluation.metric_suite import METRICS, MetricSuite
from lumiface.evaluation.pairing import PicturePair, first_few, pair_sources, read_pairs
from lumiface.evaluation.provenance import data_name, pairs_hash, provenance

_INTERVAL = f"95 % interval of the mean, bootstrap over the pictures, {RESAMPLES} resamples, seed 0"
_MAX_PIXELS = 4_000_000  # of one batch: NIQE and LPIPS need some hundred bytes per pixel


@dataclass(frozen=True, slots=True)
class FolderScores:
    """The scores of a folder, and what could not be scored.

    Attributes:
        protocol: how they were measured.
        names: of the scored results.
        per_image: metric -> one score per result, NaN where it could not be measured.
        scores: metric -> its row of the table.
        notes: what is not measured, and why.
        failed: one line for each picture that could not be scored.
        without_reference: names of results without a reference.
        without_result: names of references without a result.
    """

    protocol: dict[str, Any]
    names: list[str]
    per_image: dict[str, list[float]]
    scores: dict[str, Score]
    notes: list[str]
    failed: list[str]
    without_reference: list[str]
    without_result: list[str]

    @property
    def is_complete(self) -> bool:
        return not (self.failed or self.without_reference or self.without_result)

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file."""
        scores = {
            name: {"value": score.value, "images": score.images}
            | ({"ci": score.interval} if METRICS[name].kind != "set" else {})
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
        """One line per picture; empty where a metric could not be measured, `inf` for PSNR of equal ones."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", *self.per_image])
        for row, name in enumerate(self.names):
            values = (scores[row] for scores in self.per_image.values())
            writer.writerow([name, *("" if math.isnan(value) else repr(value) for value in values)])
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
    """Score pictures by all metrics that this machine can measure; see `metric_suite`.

    Pictures are taken as 8-bit RGB; `evaluation.pairing` finds each one's reference. What cannot be read, or
    is of another size than its reference, becomes a line in `failed`, and the others are scored.

    Args:
        results: folder, tar or picture.
        reference: likewise; None: only metrics that need no reference.
        distance_to: likewise; the unpaired set to which Fréchet distances are taken; None: the references.
        batch: pictures measured at once, fewer where they are large.
        progress: called with (pictures done, pictures in all).

    Raises:
        InputError: a source cannot be read, no result has a reference, or nothing could be scored.
        AssetMissing: without a reference, nothing can be measured on this machine.
    """
    device = torch.device(device)
    outputs = open_source(results)
    targets = None if reference is None else open_source(reference)
    pairing = pair_sources(outputs, targets)
    failed = pairing.ambiguous
    suite = MetricSuite(
        device, with_reference=targets is not None, with_sets=(reference or distance_to) is not None
    )
    if not suite.names:
        raise AssetMissing("; ".join(suite.notes))
    scored, compared = ScoreAccumulator(), ScoreAccumulator()
    hashes: list[str] = []
    pairs = read_pairs(outputs, targets, pairing.pairs, failed)
    for chunk in batches_of_one_size(pairs, lambda pair: pair.output, batch, _MAX_PIXELS):
        target = _score_batch(chunk, suite, scored)
        if target is not None and distance_to is None:
            compared.add_features(suite.features(target))
        hashes += [_pixel_hashes(pair) for pair in chunk]
        if progress is not None:
            progress(len(scored.names), len(pairing.pairs))
    if not scored.names:
        raise InputError(f"{data_name(results)}: no picture could be scored ({first_few(failed)})")
    set_size = len(scored.names)
    if distance_to is not None:
        others = open_source(distance_to)
        set_size = len(others)
        _add_set(others, batch, suite, compared, failed)
    scores = {
        name: scored.set_distance(name, compared) if METRICS[name].kind == "set" else scored.score(name)
        for name in suite.names
    }
    conventions = {name: METRICS[name].convention for name in scores}
    protocol: dict[str, Any] = {
        "name": "score",
        "results": data_name(results),
        "reference": None if reference is None else data_name(reference),
        "distance_to": None if distance_to is None else data_name(distance_to),
        "images": len(scored.names),
        "no_face_in_target": scored.sums["no_face_in_target"],
        "no_face_in_output": scored.sums["no_face_in_output"],
        "conventions": conventions | {"pictures": "8-bit RGB files", "ci": _INTERVAL},
        "pairs_sha256": pairs_hash(hashes),
        **provenance(device, batch),
    }
    return FolderScores(
        protocol,
        scored.names,
        scored.scores,
        scores,
        suite.notes + _describe_gaps(scores, scored, set_size),
        failed,
        pairing.without_reference,
        pairing.without_result,
    )


def _score_batch(
    chunk: Sequence[PicturePair], suite: MetricSuite, scored: ScoreAccumulator
) -> torch.Tensor | None:
    """Add the scores and features of pictures of one size; returns their targets (B, 3, H, W), if any."""
    output = stack_images([pair.output for pair in chunk], suite.device)
    targets = [pair.target for pair in chunk if pair.target is not None]
    target = stack_images(targets, suite.device) if targets else None
    batch = suite.measure(output, target)
    scored.add(batch.scores, [pair.name for pair in chunk], batch.sums)
    scored.add_features(suite.features(output))
    return target


def _add_set(
    source: PictureSource, batch: int, suite: MetricSuite, compared: ScoreAccumulator, failed: list[str]
) -> None:
    """Add the features of a set that is paired with nothing."""
    pairs = read_pairs(source, None, pair_sources(source, None).pairs, failed)
    for chunk in batches_of_one_size(pairs, lambda pair: pair.output, batch, _MAX_PIXELS):
        compared.add_features(suite.features(stack_images([pair.output for pair in chunk], suite.device)))


def _pixel_hashes(pair: PicturePair) -> str:
    """The name, and the hashes of the output's and the target's pixels."""
    digests = [pixel_sha256(pixels) for pixels in (pair.output, pair.target) if pixels is not None]
    return " ".join([pair.name, *digests])


def _describe_gaps(scores: dict[str, Score], scored: ScoreAccumulator, set_size: int) -> list[str]:
    """One line for each metric that some or all pictures lack; `set_size`: of the set compared with."""
    lines: list[str] = []
    images = len(scored.names)
    for name, score in scores.items():
        metric, missing = METRICS[name], images - score.images
        if missing:
            reason = f"smaller than {metric.min_size} pixels"
            reason += f", or {metric.may_be_nan_because}" if metric.may_be_nan_because else ""
            if metric.kind == "set" and min(images, set_size) < 2:
                reason = "a set is two or more"
            lines.append(f"{name}: not measured of {missing} of {images} pictures ({reason})")
        if equal := int(np.isinf(scored.values(name)).sum()):
            lines.append(
                f"{name}: {equal} of {images} pictures equal their reference, so that there is no mean"
            )
    return lines
