"""By which sign dark skin in good light is told from a face in the dark: four, on the same faces.

    python benchmarks/dark_signs.py --data-root DATA --json benchmarks/results/trust.json

Of the normally lit faces of tones128 that count as dark by their mean light, the smallest value of each sign
is the threshold that frees them all; counted are the dark faces, real ones and ones darkened as in LLF,
mildly and fully, that count as dark and have as much: all, and those at the border (light from 0.26 on). The
file's section `fairness` gets `signs`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from fairness import DARKENED, EACH, MILD, REAL_DARK, SECTION, SET
from sections import current_provenance
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.data.benchmarks.llf import LLFSettings, build_task_pair
from lumiface.data.sources import open_source
from lumiface.degradations.lowlight import DarkeningRanges
from lumiface.faces.align import TEMPLATE, crop_face, face_matrix
from lumiface.faces.detectors.choice import load_detector
from lumiface.faces.find import find_faces
from lumiface.faces.measure import WELL_LIT, exposure_weight, face_highlights, face_light
from lumiface.imaging.color import luma
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8
from lumiface.restoration.tasks import VISIBLY_DARK

_EYE = (0.06, 0.035)  # half width and height of the window around an eye, fractions of the face's side


def signs_of(rgb: Tensor) -> dict[str, float]:
    """The signs of an aligned face (1, 3, S, S), each 0 to 1; `light` is the present one."""
    light = luma(rgb)[0, 0]
    side = light.shape[-1]
    eyes = [
        light[
            round(side * (y - _EYE[1])) : round(side * (y + _EYE[1])),
            round(side * (x - _EYE[0])) : round(side * (x + _EYE[0])),
        ].flatten()
        for x, y in TEMPLATE[:2]
    ]
    return {
        "light": face_light(rgb),
        "eyes": float(torch.cat(eyes).quantile(0.98)),
        "picture": float(light.flatten().quantile(0.99)),
        "highlights": face_highlights(rgb),
    }


def lit_faces(data_root: Path) -> Iterator[Tensor]:
    """The faces of tones128, aligned: in the set they lie otherwise."""
    detector = load_detector()
    for data in open_source(data_root / f"{SET}.tar"):
        rgb = from_uint8(decode_rgb8(data, SET))
        for face in find_faces(rgb, detector, which="largest"):
            yield crop_face(rgb, face_matrix(face), rgb.shape[-1])


def dark_faces(data_root: Path) -> Iterator[Tensor]:
    """Real dark faces, and lit ones darkened; all are aligned in their sets."""
    for name in REAL_DARK:
        for data in open_source(data_root / f"{name}.tar"):
            yield from_uint8(decode_rgb8(data, name))
    for name in DARKENED:
        for ranges in (DarkeningRanges(), MILD):
            settings = LLFSettings(None, 1, 0, ranges)
            for number, data in enumerate(open_source(data_root / f"{name}.tar").first(EACH)):
                pixels = build_task_pair(data, f"picture {number}", settings, "enhance")[0]
                yield from_uint8(pixels.copy())


def measure_signs(data_root: Path) -> dict[str, Any]:
    """The threshold of each sign, and the dark faces that it would take for lit."""
    lit = list(map(signs_of, lit_faces(data_root)))
    judged = [found for found in lit if exposure_weight(found["light"]) < VISIBLY_DARK]
    dark = [
        found
        for found in map(signs_of, dark_faces(data_root))
        if exposure_weight(found["light"]) < VISIBLY_DARK
    ]
    border = [found for found in dark if found["light"] >= WELL_LIT[0]]
    signs: dict[str, Any] = {}
    for name in ("light", "eyes", "picture", "highlights"):
        threshold = min(found[name] for found in judged)
        signs[name] = {
            "threshold": threshold,
            "dark_as_bright": sum(found[name] >= threshold for found in dark),
            "of_border": sum(found[name] >= threshold for found in border),
        }
    taken = [exposure_weight(found["light"], found["highlights"]) >= VISIBLY_DARK for found in dark]
    return {
        "lit_judged_dark": len(judged),
        "dark": len(dark),
        "border": len(border),
        "signs": signs,
        "taken_for_lit": sum(taken),
        "provenance": current_provenance(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True, help="folder of the test sets")
    parser.add_argument("--json", type=Path, help="file in which the section is written")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = measure_signs(args.data_root)
    print(json.dumps({key: value for key, value in found.items() if key != "provenance"}, indent=1))
    if args.json:
        stored = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {}
        section = stored.get(SECTION, {}) | {"signs": found}
        write_bytes(args.json, (json.dumps(stored | {SECTION: section}, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
