"""What the benchmarks share that write one file section by section: arguments, rows, and the file itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lumiface.core.files import write_bytes
from lumiface.evaluation.column import Column
from lumiface.evaluation.cost import machine_name
from lumiface.evaluation.provenance import origin
from lumiface.registry import read_metadata

Section = Callable[[argparse.Namespace], dict[str, Any]]


def run_section(
    what: str | None, sections: Mapping[str, Section], models: Mapping[str, Sequence[str]]
) -> None:
    """Parse the arguments, measure one section, and write it into the file beside the others.

    Args:
        what: the benchmark's description.
        sections: by name.
        models: what each section measures unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=list(sections))
    parser.add_argument(
        "--models", nargs="+", help="names of what ships, or files; the first is compared with"
    )
    parser.add_argument("--data-root", required=True, help="folder of the sets and their points")
    parser.add_argument("--limit", type=int, help="so many pictures of a set, to try it out")
    parser.add_argument("--json", type=Path, help="file whose section is written")
    parser.add_argument("--sheet", type=Path, help="picture of what was measured, where a section makes one")
    given = parser.parse_args()
    given.models = given.models or models[given.section]
    measured = sections[given.section](given)
    if given.json:
        known = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
        write_bytes(given.json, (json.dumps(known | {given.section: measured}, indent=1) + "\n").encode())


def rows_of(columns: Mapping[str, Column], trained: Collection[str]) -> list[dict[str, Any]]:
    """A row a model: its budget, its settings, its scores, and how it differs from the first trained one.

    A column that is no model's (the input itself) has scores alone.
    """
    first = next(column for name, column in columns.items() if name in trained)
    rows: list[dict[str, Any]] = []
    for model, column in columns.items():
        scores = column.as_dict(None if column is first else first)
        if model not in trained:
            rows.append({"model": model, **scores})
            continue
        facts = read_metadata(model)
        run = facts["provenance"]["run"]
        rows.append({"model": run["name"], "budget": budget_of(facts), **scores, "run": run})
    for row in rows:
        print(json.dumps({key: value for key, value in row.items() if key != "run"}, indent=1))
    return rows


def budget_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a training run took."""
    return {key: facts["provenance"][key] for key in ("step", "minutes", "faces", "machine")}


def measured_here() -> dict[str, Any]:
    """Commit, versions and machine."""
    return origin(torch.device("cpu"), 1) | {"machine": machine_name("cpu")}


def told(done: int, of: int) -> None:
    """Progress, every now and then."""
    if done % 20 == 0 or done == of:
        print(f"{done} of {of}", flush=True)
