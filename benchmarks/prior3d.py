"""The 3D prior, measured: how well faces are lifted to tri-planes.

    python benchmarks/prior3d.py lifter --data-root DATA --json benchmarks/results/prior3d.json

Each section of the JSON file holds its own commit, machine and settings; the others stay as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from lumiface.data.views import load_views
from lumiface.engine.cost import machine_name
from lumiface.engine.measure_lifter import YAWS, measure_lifter, turned_views
from lumiface.engine.origin import origin
from lumiface.files import write_bytes
from lumiface.image import Picture, write_picture
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import load_part, read_facts, shipped_parts
from lumiface.reports.grid import picture_grid

SETS = ("faces256-test",)
SIDE = 128


def lifter(given: argparse.Namespace) -> dict[str, Any]:
    """PSNR and LPIPS of renderings from the photographs' own cameras, and the correlation of depth."""
    path = shipped_parts().get(given.model, Path(given.model))
    network: Any = load_part(path, "prior3d-lifter")
    rows: list[dict[str, Any]] = []
    for name in SETS:
        root = Path(given.data_root)
        views = load_views([root / f"{name}.tar"], root / f"{name}-mesh468.npz")
        rows.append(
            {"set": name, "side": SIDE, **measure_lifter(network, views, SIDE, LPIPS("squeeze")).as_dict()}
        )
        print(json.dumps(rows[-1], indent=2))
        if given.sheet:
            sheet = turned_views(
                network, views, list(range(0, len(views), max(1, len(views) // 8)))[:8], SIDE
            )
            write_picture(Picture(picture_grid(sheet, columns=len(YAWS) + 2)), given.sheet)
    facts = read_facts(path)
    return {
        "model": given.model,
        "params": sum(parameter.numel() for parameter in network.parameters()),
        "settings": facts["config"],
        "budget": {key: facts["provenance"][key] for key in ("step", "minutes", "faces", "machine")},
        "run": facts["provenance"]["run"],
        "origin": origin([], torch.device("cpu"), 1) | {"machine": machine_name("cpu")},
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("section", choices=["lifter"])
    parser.add_argument("--model", default="prior3d-lifter-small", help="name of shipped weights, or a file")
    parser.add_argument("--data-root", required=True, help="folder of the sets and their points")
    parser.add_argument("--json", type=Path, help="file whose section is written")
    parser.add_argument("--sheet", type=Path, help="picture of faces turned, and their depth")
    given = parser.parse_args()
    measured = lifter(given)
    if given.json:
        told = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
        write_bytes(given.json, (json.dumps(told | {given.section: measured}, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
