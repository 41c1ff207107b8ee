"""What `restore` does to the faces of several groups of people: the well-lit ones, and the same darkened."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.data.benchmarks.llf import LLFSettings, build_task_pair
from lumiface.data.sources import PictureSource, open_source
from lumiface.evaluation.bootstrap import Interval, bootstrap_gap, bootstrap_interval
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.imaging.color import luma, rgb_to_ycbcr
from lumiface.imaging.io import Picture
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.restoration.restored import FaceReport, Restored

SEED = 0
"""Of the darkening and of the intervals."""

MEASURES = {
    "lit_luma": "well-lit faces: change of the mean luma, percent",
    "lit_luma_absolute": "the same without its sign",
    "lit_chroma": "well-lit faces: change of the mean chroma, distance from grey in Cb and Cr, percent",
    "lit_identity": "well-lit faces: cosine of EdgeFace embeddings before and after",
    "dark_identity": "darkened faces: cosine of the embeddings of the original and the restored face",
    "dark_psnr_y": "darkened faces: PSNR-Y to the original, dB",
    "dark_lpips": "darkened faces: LPIPS (SqueezeNet) to the original",
}
"""Name -> what it is."""

_SUITE = {"identity_edgeface": "identity", "psnr_y": "psnr_y", "lpips_squeeze": "lpips"}
_LEAST_CHROMA = 1e-3


class PhotographRestorer(Protocol):
    """Of `Restorer`, what is measured."""

    def __call__(self, picture: Picture) -> Restored[Picture]: ...


@dataclass(frozen=True, slots=True)
class FaceScores:
    """Of one picture.

    Attributes:
        values: measure -> value; NaN where there is none.
        unchanged: every pixel of the well-lit face stayed.
        lit, dark: the faces of the well-lit and of the darkened picture.
    """

    values: dict[str, float]
    unchanged: bool
    lit: list[FaceReport]
    dark: list[FaceReport]


@dataclass(slots=True)
class GroupScores:
    """The values of one group, one per picture; NaN where a measure has no value.

    Attributes:
        values: measure -> values.
        unchanged: well-lit faces whose every pixel stayed.
        treatments: of the well-lit faces -> their number.
    """

    values: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unchanged: int = 0
    treatments: Counter[str] = field(default_factory=Counter[str])

    def add(self, scores: FaceScores) -> None:
        """Take one picture."""
        for measure, value in scores.values.items():
            self.values[measure].append(value)
        self.unchanged += scores.unchanged
        self.treatments.update(face.treatment for face in scores.lit)


def read_groups(path: Path) -> tuple[PictureSource, list[str]]:
    """The pictures of a set and the group of each.

    The groups stand in a file beside it, of the same name and .jsonl: a line for each picture with "file" and
    "group"; or they are the folders in it, or what stands before the first "_" of the names.

    Raises:
        InputError: the set or the file cannot be read, or there are fewer than two groups.
    """
    source = open_source(path)
    listed = _listed_groups(path.with_suffix(".jsonl"))
    groups = [listed.get(name) or _group_by_name(name) for name in source.names]
    if len(set(groups)) < 2:
        raise InputError(
            f"{path} has no groups to compare; name them in {path.with_suffix('.jsonl').name}, or put each "
            "into a folder"
        )
    return source, groups


def first_of_each(
    source: PictureSource, groups: Sequence[str], limit: int | None
) -> tuple[PictureSource, list[str]]:
    """The first `limit` pictures of every group; None: all."""
    number: Counter[str] = Counter()
    kept: list[int] = []
    for index, group in enumerate(groups):
        number[group] += 1
        if limit is None or number[group] <= limit:
            kept.append(index)
    return PictureSource([source.entries[index] for index in kept]), [groups[index] for index in kept]


def measure_fairness(
    source: PictureSource,
    groups: Sequence[str],
    restorer: PhotographRestorer,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, GroupScores]:
    """What a restorer does to each group.

    The darkening is that of the LLF benchmark at full size; the n-th picture of every group is darkened with
    the same parameters, so that groups differ by their faces alone.

    Args:
        groups: of each picture.
        restorer: should keep the size of pictures (`scale=1`).
    """
    suite = fairness_suite()
    scores: dict[str, GroupScores] = {}
    number: Counter[str] = Counter()
    for done, (data, group) in enumerate(zip(source, groups, strict=True), start=1):
        scores.setdefault(group, GroupScores()).add(score_face(suite, data, number[group], restorer))
        number[group] += 1
        if progress:
            progress(done, len(source))
    return scores


def fairness_suite() -> MetricSuite:
    """The metrics of `score_face`."""
    return MetricSuite(torch.device("cpu"), with_reference=True, only=_SUITE)


def score_face(suite: MetricSuite, data: bytes, number: int, restorer: PhotographRestorer) -> FaceScores:
    """What a restorer does to one well-lit face, as it is and darkened.

    Args:
        data: of the image file.
        number: of the picture in its group; seeds the darkening.

    Raises:
        InputError: the file cannot be read.
    """
    dark, bright = (
        from_uint8(pixels.copy())
        for pixels in build_task_pair(data, f"picture {number}", LLFSettings(None, 1, SEED), "enhance")
    )
    faces = suite.find_faces(bright)
    result = restorer(Picture(bright))
    lit = quantize(result.picture.rgb)
    shift = _percent(float(luma(lit).mean()), float(luma(bright).mean()))
    values = {
        "lit_luma": shift,
        "lit_luma_absolute": abs(shift),
        "lit_chroma": _percent(_chroma(lit), _chroma(bright)),
        "lit_identity": _scores(suite, lit, bright, faces)["identity"],
    }
    darkened = restorer(Picture(dark))
    found = _scores(suite, quantize(darkened.picture.rgb), bright, faces)
    values |= {f"dark_{name}": score for name, score in found.items()}
    return FaceScores(values, torch.equal(lit, bright), result.faces, darkened.faces)


def summarise(scores: Mapping[str, GroupScores]) -> dict[str, Any]:
    """Means, gaps and their 95 % intervals, for files and tables.

    Returns:
        "groups": name -> pictures, unchanged, treatments, `largest` lit_luma without its sign, and each
        measure as `mean` and `ci`; "gaps": measure -> the difference between the largest and the smallest
        mean of a group, `ci`, and the two groups; "measures": what they are.
    """
    groups: dict[str, Any] = {}
    for group, found in scores.items():
        groups[group] = {
            "pictures": len(found.values["lit_luma"]),
            "unchanged": found.unchanged,
            "treatments": dict(found.treatments.most_common()),
            "largest": max(found.values["lit_luma_absolute"]),
        }
        for measure in MEASURES:
            values = _finite(found.values[measure])
            groups[group][measure] = {
                "mean": float(values.mean()) if len(values) else None,
                "ci": _as_list(bootstrap_interval(values, seed=SEED)),
            }
    return {"groups": groups, "gaps": _gaps(scores), "measures": MEASURES}


def _gaps(scores: Mapping[str, GroupScores]) -> dict[str, Any]:
    gaps: dict[str, Any] = {}
    for measure in MEASURES:
        values = {group: _finite(found.values[measure]) for group, found in scores.items()}
        if all(len(found) for found in values.values()):
            means = {group: float(found.mean()) for group, found in values.items()}
            high, low = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
            interval = bootstrap_gap(list(values.values()), seed=SEED)
            gaps[measure] = {"gap": means[high] - means[low], "ci": list(interval), "high": high, "low": low}
    return gaps


def _scores(suite: MetricSuite, output: Tensor, target: Tensor, faces: Any) -> dict[str, float]:
    found = suite.measure(output, target, faces).scores
    return {short: float(found[name]) if name in found else np.nan for name, short in _SUITE.items()}


def _percent(now: float, before: float) -> float:
    return 100.0 * (now / max(before, 1e-6) - 1.0)


def _chroma(rgb: Tensor) -> float:
    """Mean distance from grey, at least a quarter of a level: that of a grey picture can be divided by."""
    return max(_LEAST_CHROMA, float((rgb_to_ycbcr(rgb)[:, 1:] - 0.5).norm(dim=1).mean()))


def _finite(values: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = np.asarray(values, np.float64)
    return found[np.isfinite(found)]


def _as_list(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _listed_groups(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); check it") from error
    try:
        entries = [json.loads(line) for line in lines if line.strip()]
        return {str(entry["file"]): str(entry["group"]) for entry in entries if "group" in entry}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: each line is {{"file": …, "group": …}}; one is not ({error})') from error


def _group_by_name(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return folder.rpartition("/")[2] or file[: max(0, file.find("_"))]
