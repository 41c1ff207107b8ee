"""Shared by the benchmarks that write one file section by section: arguments, rows, and the file itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lumiface.core.device import machine_name
from lumiface.core.files import write_bytes
from lumiface.data.sources import PictureSource, open_source
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.provenance import provenance
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, write_picture
from lumiface.registry import read_metadata

REAL = "real-degraded"

Section = Callable[[argparse.Namespace], dict[str, Any]]


def run_section(
    description: str | None, sections: Mapping[str, Section], models: Mapping[str, Sequence[str]]
) -> None:
    """Parse the arguments, measure one section, and write it into the file beside the others.

    Args:
        description: of the benchmark.
        sections: by name.
        models: default models of each section.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("section", choices=list(sections))
    parser.add_argument(
        "--models", nargs="+", help="names of shipped models, or files; the first is the baseline"
    )
    parser.add_argument("--data-root", required=True, help="folder of the test sets and their landmarks")
    parser.add_argument("--limit", type=int, help="use only the first N pictures of a set")
    parser.add_argument("--json", type=Path, help="file in which the section is written")
    parser.add_argument("--sheet", type=Path, help="contact sheet, for sections that make one")
    args = parser.parse_args()
    args.models = args.models or models[args.section]
    section = sections[args.section](args)
    if args.json:
        stored = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {}
        write_bytes(args.json, (json.dumps(stored | {args.section: section}, indent=1) + "\n").encode())


def model_rows(scores: Mapping[str, ScoreAccumulator], trained: Collection[str]) -> list[dict[str, Any]]:
    """A row per model: its budget, its configuration, its scores, and their differences from the first.

    A row that is not a model's (the input itself) has scores only.
    """
    first = next(found for name, found in scores.items() if name in trained)
    rows: list[dict[str, Any]] = []
    for model, found in scores.items():
        values = found.as_dict(None if found is first else first)
        if model not in trained:
            rows.append({"model": model, **values})
            continue
        metadata = read_metadata(model)
        run = metadata["provenance"]["run"]
        rows.append({"model": run["name"], "budget": training_budget(metadata), **values, "run": run})
    for row in rows:
        print(json.dumps({key: value for key, value in row.items() if key != "run"}, indent=1))
    return rows


def training_budget(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Steps, time, faces and machine of a training run."""
    return {key: metadata["provenance"][key] for key in ("step", "minutes", "faces", "machine")}


def first_pictures(args: argparse.Namespace, name: str, most: int | None = None) -> PictureSource:
    """A test set by name, its first `--limit` pictures, and of those at most `most`."""
    source = open_source(Path(args.data_root) / f"{name}.tar")
    return source.first(min(args.limit or len(source), most or len(source)))


def real_faces(args: argparse.Namespace) -> PictureSource:
    """The photographs of `REAL` that show one face."""
    photographs = open_source(Path(args.data_root) / f"{REAL}.tar")
    entries = [
        entry
        for entry, name in zip(photographs.entries, photographs.names, strict=True)
        if Path(name).name.startswith("face_")
    ]
    return PictureSource(entries).first(args.limit or len(entries))


def write_faces(faces: Mapping[str, Sequence[Tensor]], target: Path, columns: int) -> None:
    """A sheet of faces (1, 3, H, W) of one size, those of one photograph side by side."""
    sheet = [face for row in zip(*faces.values(), strict=True) for face in row]
    write_picture(Picture(picture_grid(torch.cat(sheet), columns=columns)), target)


def current_provenance() -> dict[str, Any]:
    """Commit, versions and machine of this process."""
    return provenance(torch.device("cpu"), 1) | {"machine": machine_name("cpu")}


def report_progress(done: int, total: int) -> None:
    """Print the progress every 20 images."""
    if done % 20 == 0 or done == total:
        print(f"{done} of {total}", flush=True)
