"""What `restore` does to well-lit and to darkened faces of four groups of people, into one file of results.

    python benchmarks/fairness.py --data-root DATA --json benchmarks/results/trust.json

The set is tones128, 80 faces of each group; the measures are those of `lumiface evaluate --fairness`. `after`
is the code as it is; `before` is the same without the highlights by which a face is judged dark
(`faces.measure.HIGHLIGHT_LIGHT` is 0). Where both judge the same, a picture is restored once. `darkened`
tells of real and of simulated dark faces how many count as lit by their highlights alone. `reference` is the
identity of the darkened faces when a gamma curve alone brightens them. Other sections of the file stay.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sections import current_provenance, report_progress

from lumiface.core.files import write_bytes
from lumiface.data.benchmarks.llf import LLFSettings, build_task_pair
from lumiface.data.sources import open_source
from lumiface.degradations.lowlight import DarkeningRanges
from lumiface.evaluation.bootstrap import bootstrap_gap
from lumiface.evaluation.fairness import (
    SEED,
    FaceScores,
    GroupScores,
    fairness_suite,
    first_of_each,
    read_groups,
    score_face,
    summarise,
)
from lumiface.evaluation.studies.ways import aligned_face
from lumiface.faces import measure
from lumiface.faces.measure import exposure_weight, measure_face
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.registry import load_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.restoration.tasks import VISIBLY_DARK

SET = "tones128"
SECTION = "fairness"
REAL_DARK = ("dark256-test", "dark256-train")
DARKENED = ("faces256-test", "faces256-hq", "wild128-test")
EACH = 100
MILD = DarkeningRanges(gamma=(1.0, 2.5))
"""Darkening that leaves many faces at the border: the stronger one leaves hardly any."""


@contextmanager
def without_highlights() -> Iterator[None]:
    """Faces are judged by their mean light alone."""
    kept, measure.HIGHLIGHT_LIGHT = measure.HIGHLIGHT_LIGHT, 0.0
    try:
        yield
    finally:
        measure.HIGHLIGHT_LIGHT = kept


def groups(data_root: Path, limit: int | None) -> dict[str, Any]:
    """`before` and `after`, each as of `summarise`."""
    source, names = first_of_each(*read_groups(data_root / f"{SET}.tar"), limit)
    restorer, suite = Restorer(config=RestoreConfig(scale=1)), fairness_suite()
    scores: dict[str, dict[str, GroupScores]] = {"before": {}, "after": {}}
    number: Counter[str] = Counter()
    for done, (data, group) in enumerate(zip(source, names, strict=True), start=1):
        after = before = score_face(suite, data, number[group], restorer)
        if _is_judged_otherwise(after):
            with without_highlights():
                before = score_face(suite, data, number[group], restorer)
        for when, found in (("before", before), ("after", after)):
            scores[when].setdefault(group, GroupScores()).add(found)
        number[group] += 1
        report_progress(done, len(source))
    return {when: summarise(found) for when, found in scores.items()}


def _is_judged_otherwise(scores: FaceScores) -> bool:
    measured = [face.before for face in [*scores.lit, *scores.dark]]
    return any(
        exposure_weight(face.light) != exposure_weight(face.light, face.highlights) for face in measured
    )


def reference(data_root: Path, limit: int | None) -> dict[str, Any]:
    """Identity of the darkened faces when a gamma curve alone brightens them: what their pixels hold."""
    source, names = first_of_each(*read_groups(data_root / f"{SET}.tar"), limit)
    gamma, suite = load_model("gamma"), fairness_suite()
    values: dict[str, list[float]] = {}
    for data, group in zip(source, names, strict=True):
        found = values.setdefault(group, [])
        settings = LLFSettings(None, 1, SEED)
        pair = build_task_pair(data, f"picture {len(found)}", settings, "enhance")
        dark, bright = (from_uint8(pixels.copy()) for pixels in pair)
        with torch.inference_mode():
            scores = suite.measure(quantize(gamma(dark)), bright).scores
        found.append(float(scores["identity_edgeface"]))
    finite = {group: [value for value in found if math.isfinite(value)] for group, found in values.items()}
    means = {group: sum(found) / len(found) for group, found in finite.items()}
    gap = max(means.values()) - min(means.values())
    return {"identity": means, "gap": gap, "ci": list(bootstrap_gap(list(finite.values()), seed=SEED))}


def darkened(data_root: Path, limit: int | None) -> dict[str, Any]:
    """Set -> faces, those that were judged dark, and those of them that highlights make lit."""
    found: dict[str, Any] = {}
    cases = [(name, None) for name in REAL_DARK]
    cases += [(name, ranges) for name in DARKENED for ranges in (DarkeningRanges(), MILD)]
    for name, ranges in cases:
        source = open_source(data_root / f"{name}.tar").first(limit or (EACH if ranges else 10_000))
        counts = {"faces": len(source), "dark": 0, "lit_by_highlights": 0}
        for number, data in enumerate(source):
            if ranges is None:
                pixels = decode_rgb8(data, name)
            else:
                settings = LLFSettings(None, 1, SEED, ranges)
                pixels = build_task_pair(data, f"picture {number}", settings, "enhance")[0]
            rgb = from_uint8(pixels.copy())
            face = measure_face(rgb, aligned_face(rgb.shape[-1]))
            if exposure_weight(face.light) < VISIBLY_DARK:
                counts["dark"] += 1
                counts["lit_by_highlights"] += exposure_weight(face.light, face.highlights) >= VISIBLY_DARK
        mild = "" if ranges is None else ", llf" if ranges is not MILD else ", llf with gamma up to 2.5"
        found[f"{name}{mild}"] = counts
        print(name, mild, counts, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True, help="folder of the test sets")
    parser.add_argument("--limit", type=int, help="use only the first N faces of each group or set")
    parser.add_argument("--reference", action="store_true", help="measure `reference` alone")
    parser.add_argument("--json", type=Path, help="file in which the section is written")
    args = parser.parse_args()
    torch.set_num_threads(1)
    section: dict[str, Any] = {"reference": reference(args.data_root, args.limit)}
    print(json.dumps(section))
    if not args.reference:
        section |= full_section(args)
    if args.json:
        stored = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {}
        section = stored.get(SECTION, {}) | section
        write_bytes(args.json, (json.dumps(stored | {SECTION: section}, indent=1) + "\n").encode())


def full_section(args: argparse.Namespace) -> dict[str, Any]:
    """Before and after by group, and the dark faces."""
    section: dict[str, Any] = {
        "protocol": {"set": SET, "scale": 1, "darkening": "llf at full size", "seed": SEED},
        "darkened": darkened(args.data_root, args.limit),
        **groups(args.data_root, args.limit),
        "provenance": current_provenance(),
    }
    print(json.dumps({when: section[when]["gaps"] for when in ("before", "after")}, indent=1))
    return section


if __name__ == "__main__":
    main()
