"""What `restore --task auto` changes in normally lit faces of four groups of people: it should be nothing.

    python benchmarks/tones.py tones --data-root DATA --json benchmarks/results/restore.json

Each of the 320 pictures of tones128 is restored at scale 1. `unchanged`: equal in every pixel. `shift`: mean
change of the mean luma in the others, in percent of it, as it is and without its sign; by group, over all
pictures of the group, and the largest difference between two groups in points. `relit` are those that
received light; the rest were redrawn because they are blurred.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import torch
from sections import current_provenance, first_pictures, report_progress, run_section

from lumiface.imaging.color import luma
from lumiface.imaging.io import Picture, decode_rgb8
from lumiface.imaging.quantize import from_uint8
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer

SET = "tones128"


def tones(args: argparse.Namespace) -> dict[str, Any]:
    """Shift of the mean luma by group."""
    torch.set_num_threads(1)
    source = first_pictures(args, SET)
    restorer = Restorer(None, RestoreConfig(task="auto", scale=1))
    shifts: defaultdict[str, list[float]] = defaultdict(list)
    changed: list[float] = []
    relit: list[float] = []
    choices: Counter[str] = Counter()
    for done, (name, data) in enumerate(source.items(), start=1):
        before = from_uint8(decode_rgb8(data, name))
        result = restorer(Picture(before))
        after = result.picture.rgb
        shift = 100.0 * (float(luma(after).mean()) / float(luma(before).mean()) - 1.0)
        shifts[name.split("_")[0]].append(shift)
        if not torch.equal(before, after):
            changed.append(shift)
            if any(face.treatment == "relit" for face in result.faces):
                relit.append(shift)
        choices.update(face.why for face in result.faces)
        report_progress(done, len(source))
    groups = {group: float(np.mean(values)) for group, values in shifts.items()}
    found = {
        "set": SET,
        "pictures": len(source),
        "unchanged": len(source) - len(changed),
        "shift": _means(changed),
        "relit": {"pictures": len(relit), "shift": _means(relit)},
        "groups": groups,
        "gap": max(groups.values()) - min(groups.values()),
        "choices": dict(choices.most_common()),
        "origin": current_provenance(),
    }
    print(json.dumps({key: value for key, value in found.items() if key != "origin"}, indent=1))
    return found


def _means(shifts: list[float]) -> dict[str, float]:
    """Mean, mean without sign, and the largest without sign; 0 where there are none."""
    values = np.array(shifts or [0.0])
    return {
        "mean": float(values.mean()),
        "absolute": float(np.abs(values).mean()),
        "largest": float(np.abs(values).max()),
    }


if __name__ == "__main__":
    run_section(__doc__, {"tones": tones}, {"tones": []})
