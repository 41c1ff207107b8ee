"""What `restore` makes of faces, beside other ways, section by section.

    python benchmarks/restore.py joint --data-root DATA --json benchmarks/results/restore.json

joint: dark and damaged faces (protocol dark-blind) of 128 and 256 px. real: real damaged photographs, before
and after. identity: LLF, 32 -> 128 px, by the default network. grid: periodic patterns in its outputs. Each
section of the JSON file has its own commit, machine and settings; the other sections are not changed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from grid import periodic_residue
from sections import current_provenance, report_progress, run_section

from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import PictureSource, open_source
from lumiface.degradations.resample import resize
from lumiface.evaluation.studies.blind import INPUT, measure_real, measure_restorers
from lumiface.evaluation.studies.joint import measure_joint
from lumiface.evaluation.studies.ways import RESTORE, restoration_ways
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, decode_rgb8, write_picture
from lumiface.imaging.mean_gamma import mean_gamma
from lumiface.imaging.quantize import from_uint8
from lumiface.registry import load_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer

JOINT_SETS = (("faces256-test", 300), ("faces256-hq", 300))
JOINT_SIDES = (128, 256)
PROTOCOL = "dark-blind"
REAL, GOOD = "real-degraded", "faces256-test"
LLF_SET = "faces256-test"
PERIODS = (2, 4, 8)


def joint(args: argparse.Namespace) -> dict[str, Any]:
    """A row per way, set and size; differences are to `restore`."""
    rows: list[dict[str, Any]] = []
    for name, count in JOINT_SETS:
        for side in JOINT_SIDES:
            source = first(args, name, count)
            scores, distances = measure_restorers(
                restoration_ways(), source, side, report_progress, protocol=PROTOCOL
            )
            for way, found in scores.items():
                values = found.as_dict(None if way == RESTORE else scores[RESTORE])
                row = {"way": way, "set": name, "side": side, **values, "fd_squeezenet": distances[way]}
                rows.append(row)
                print(json.dumps({key: value for key, value in row.items() if "_ci" not in key}))
    return {"protocol": f"{PROTOCOL}, seed 0", "origin": current_provenance(), "rows": rows}


def real(args: argparse.Namespace) -> dict[str, Any]:
    """The main face of each real damaged photograph, and how many faces were restored, relit, unchanged."""
    photographs = open_source(Path(args.data_root) / f"{REAL}.tar")
    entries = [
        entry
        for entry, name in zip(photographs.entries, photographs.names, strict=True)
        if Path(name).name.startswith("face_")
    ]
    source = PictureSource(entries).first(args.limit or len(entries))
    restorer = Restorer(config=RestoreConfig(task="auto", scale=1, background="keep"))
    treatments: dict[str, int] = {}
    for file, data in source.items():
        for face in restorer(Picture(from_uint8(decode_rgb8(data, file).copy()))).faces:
            done = f"{face.treatment}: {face.why}"
            treatments[done] = treatments.get(done, 0) + 1
    good = first(args, GOOD, None)
    scores, distances, faces = measure_real({RESTORE: restorer}, source, good, report_progress)
    if args.sheet:
        sheet = [face for row in zip(*faces.values(), strict=True) for face in row]
        write_picture(Picture(picture_grid(torch.cat(sheet), columns=8)), args.sheet)
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
        "good": GOOD,
        "treatments": treatments,
        "origin": current_provenance(),
        "rows": rows,
    }


def identity(args: argparse.Namespace) -> dict[str, Any]:
    """The default network and others on LLF, 32 -> 128 px, beside a gamma curve with bicubic enlargement."""
    networks: dict[str, Any] = {model: load_model(model) for model in args.models}
    networks["mean-gamma + bicubic"] = lambda low: resize(
        low ** mean_gamma(low)[:, None, None, None], tuple(4 * side for side in low.shape[-2:])
    )
    scores, _ = measure_joint(networks, first(args, LLF_SET, None), report_progress)
    base = scores[args.models[0]]
    rows = [{"model": way, **found.as_dict(None if found is base else base)} for way, found in scores.items()]
    print(json.dumps(rows, indent=1))
    return {"set": f"{LLF_SET}, LLF, 32 -> 128 px, seed 0", "origin": current_provenance(), "rows": rows}


def grid(args: argparse.Namespace) -> dict[str, Any]:
    """Periodic residue of outputs and truth, 8-bit levels, LLF, 32 -> 128 px (see `grid.py`)."""
    pairs = list(llf_pairs(first(args, LLF_SET, 100), LLFSettings(hr_size=128)))
    truth = torch.cat([from_uint8(pair.hr) for pair in pairs])
    rows: list[dict[str, Any]] = []
    for model in args.models:
        network: Any = load_model(model)
        with torch.inference_mode():
            output = torch.cat([network(from_uint8(pair.lr)).clamp(0.0, 1.0) for pair in pairs])
        for period in PERIODS:
            of_output, of_truth = periodic_residue(output, period), periodic_residue(truth, period)
            rows.append({"model": model, "period": period, "output": of_output, "truth": of_truth})
            print(rows[-1])
    return {"set": f"{LLF_SET}, first {len(pairs)}", "origin": current_provenance(), "rows": rows}


def first(args: argparse.Namespace, name: str, count: int | None) -> PictureSource:
    source = open_source(Path(args.data_root) / f"{name}.tar")
    return source.first(min(args.limit or len(source), count or len(source)))


SECTIONS = {"joint": joint, "real": real, "identity": identity, "grid": grid}
DEFAULT = ["lumiface-x4", "lumiface-x4-real"]
MODELS: dict[str, list[str]] = {"joint": [], "real": [], "identity": DEFAULT, "grid": DEFAULT}


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_section(__doc__, SECTIONS, MODELS)
