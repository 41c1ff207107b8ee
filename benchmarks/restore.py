"""What `restore` makes of faces, beside other ways, section by section.

    python benchmarks/restore.py joint --data-root DATA --json benchmarks/results/restore.json

joint: dark and damaged faces (protocol dark-blind) of 128 and 256 px. real: real damaged photographs, before
and after. identity: LLF, 32 -> 128 px, by the default network. grid: periodic patterns in its outputs. Each
section of the JSON file has its own commit, machine and settings; the other sections are not changed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from grid import grid_residues
from sections import (
    REAL,
    current_provenance,
    first_pictures,
    real_faces,
    report_progress,
    run_section,
    write_faces,
)

from lumiface.degradations.resample import resize
from lumiface.evaluation.studies.blind import INPUT, LIGHT, measure_real, measure_restorers
from lumiface.evaluation.studies.joint import measure_joint
from lumiface.evaluation.studies.ways import RESTORE, restoration_ways
from lumiface.faces.measure import WELL_LIT
from lumiface.imaging.io import Picture
from lumiface.registry import load_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import Restored
from lumiface.restoration.restorer import Restorer

JOINT_SETS = (("faces256-test", 300), ("faces256-hq", 300))
JOINT_SIDES = (128, 256)
PROTOCOL = "dark-blind"
TEST = "faces256-test"
PERIODS = (2, 4, 8)


def joint(args: argparse.Namespace) -> dict[str, Any]:
    """A row per way, set and size, and one of those faces that count as dark: others keep their light, though
    the faces that they are compared with are brighter. Differences are to `restore`."""
    rows: list[dict[str, Any]] = []
    for name, count in JOINT_SETS:
        for side in JOINT_SIDES:
            source = first_pictures(args, name, count)
            scores, distances = measure_restorers(
                restoration_ways(), source, side, report_progress, protocol=PROTOCOL
            )
            dark = scores[INPUT].values(LIGHT) < WELL_LIT[0]
            for way, found in scores.items():
                case = {"way": way, "set": name, "side": side}
                against = None if way == RESTORE else scores[RESTORE]
                rows.append(case | found.as_dict(against) | {"fd_squeezenet": distances[way]})
                chosen = found.subset(dark).as_dict(against and against.subset(dark))
                rows.append(case | {"faces": "dark"} | chosen)
                for row in rows[-2:]:
                    print(json.dumps({key: value for key, value in row.items() if "_ci" not in key}))
    return {"protocol": f"{PROTOCOL}, seed 0", "origin": current_provenance(), "rows": rows}


class CountingRestorer(Restorer):
    """Counts what was done to the faces, and why."""

    def __init__(self, config: RestoreConfig) -> None:
        super().__init__(config=config)
        self.treatments: Counter[str] = Counter()

    def __call__(
        self, picture: Picture, boxes: Sequence[tuple[float, float, float, float]] = ()
    ) -> Restored[Picture]:
        restored = super().__call__(picture, boxes)
        self.treatments.update(f"{face.treatment}: {face.why}" for face in restored.faces)
        return restored


def real(args: argparse.Namespace) -> dict[str, Any]:
    """The main face of each real damaged photograph, and how many faces were restored, relit, unchanged."""
    source = real_faces(args)
    restorer = CountingRestorer(RestoreConfig(task="auto", scale=1, background="keep"))
    scores, distances, faces = measure_real(
        {RESTORE: restorer}, source, first_pictures(args, TEST), report_progress
    )
    treatments = dict(restorer.treatments)
    if args.sheet:
        write_faces(faces, args.sheet, columns=8)
    rows = [
        {
            "way": way,
            **found.as_dict(None if way == INPUT else scores[INPUT]),
            "fd_squeezenet": distances[way],
        }
        for way, found in scores.items()
    ]
    print(json.dumps(rows, indent=1), treatments)
    return {
        "set": f"{REAL}, face_*, {len(source)} photographs; the main face of each, at 256 pixels",
        "good": TEST,
        "treatments": treatments,
        "origin": current_provenance(),
        "rows": rows,
    }


def identity(args: argparse.Namespace) -> dict[str, Any]:
    """The default network and others on LLF, 32 -> 128 px, beside a gamma curve with bicubic enlargement."""
    networks: dict[str, Any] = {model: load_model(model) for model in args.models}
    gamma = load_model("gamma")
    networks["mean-gamma + bicubic"] = lambda low: resize(gamma(low), (4 * low.shape[-2], 4 * low.shape[-1]))
    scores, _ = measure_joint(networks, first_pictures(args, TEST), report_progress)
    base = scores[args.models[0]]
    rows = [{"model": way, **found.as_dict(None if found is base else base)} for way, found in scores.items()]
    print(json.dumps(rows, indent=1))
    return {"set": f"{TEST}, LLF, 32 -> 128 px, seed 0", "origin": current_provenance(), "rows": rows}


def grid(args: argparse.Namespace) -> dict[str, Any]:
    """Periodic residue of outputs and truth, 8-bit levels, LLF, 32 -> 128 px (see `grid.py`)."""
    source = first_pictures(args, TEST, 100)
    rows: list[dict[str, Any]] = []
    for model in args.models:
        for period, (output, truth) in grid_residues(model, source, 128).items():
            if period in PERIODS:
                rows.append({"model": model, "period": period, "output": output, "truth": truth})
                print(rows[-1])
    return {"set": f"{TEST}, first {len(source)}", "origin": current_provenance(), "rows": rows}


SECTIONS = {"joint": joint, "real": real, "identity": identity, "grid": grid}
DEFAULT = ["lumiface-x4", "lumiface-x4-real"]
MODELS: dict[str, list[str]] = {"joint": [], "real": [], "identity": DEFAULT, "grid": DEFAULT}


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_section(__doc__, SECTIONS, MODELS)
