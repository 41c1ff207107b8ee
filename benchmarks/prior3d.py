"""The 3D prior and what it leads, measured, section by section.

    python benchmarks/prior3d.py lifter --data-root DATA --json benchmarks/results/prior3d.json

lifter: how well faces are lifted to tri-planes. prior: what is drawn of dark faces. enhancer: the method and
the variants of its ablation. shipped: what ships, on more sets. cost: of the whole pipeline. Each section of
the JSON file holds its own commit, machine and settings; the others stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sections import budget_of, measured_here, rows_of, run_section, told

from lumiface.data.sources import open_source
from lumiface.data.training.view_set import load_views
from lumiface.evaluation.cost import measure_cost
from lumiface.evaluation.studies.lifter import YAWS, measure_lifter, turned_views
from lumiface.evaluation.studies.prior3d import (
    dark_pictures,
    frr_pictures,
    measure_enhancers,
    measure_priors,
)
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, write_picture
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import build, load_component, load_model, read_metadata, shipped_weights

SETS = ("faces256-test",)
DARK = "dark256-test"
SIDE = 128
FULL = 256


def lifter(given: argparse.Namespace) -> dict[str, Any]:
    """PSNR and LPIPS of renderings from the photographs' own cameras, and the correlation of depth."""
    (model,) = given.models
    network: Any = load_component(model, "prior3d-lifter")
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
    facts = read_metadata(model)
    return {
        "model": model,
        "params": sum(parameter.numel() for parameter in network.parameters()),
        "settings": facts["config"],
        "budget": budget_of(facts),
        "run": facts["provenance"]["run"],
        "origin": measured_here(),
        "rows": rows,
    }


def prior(given: argparse.Namespace) -> dict[str, Any]:
    """Diffusion against regression (variant 6), both beside the lifter's rendering of the bright faces."""
    root, (name,) = Path(given.data_root), SETS
    views = load_views([root / f"{name}.tar"], root / f"{name}-mesh468.npz")
    source = open_source(root / f"{name}.tar").first(given.limit or len(views))
    priors = {model: load_component(model, "prior3d-prior") for model in given.models}
    lifter = load_component("prior3d-lifter-small", "prior3d-lifter")
    columns = measure_priors(priors, lifter, views, source, SIDE, told)
    return {
        "set": f"{name}, FRR, seed 0",
        "side": SIDE,
        "origin": measured_here(),
        "rows": rows_of(columns, given.models),
    }


def enhancer(given: argparse.Namespace) -> dict[str, Any]:
    """The method and its variants: FRR-degraded faces against their truth, really dark ones by themselves."""
    return lit(given, SETS)


def shipped(given: argparse.Namespace) -> dict[str, Any]:
    """What ships, on faces of three sources made dark, and on really dark ones."""
    return lit(given, (*SETS, "faces256-hq", "faces256-london"))


def lit(given: argparse.Namespace, sets: Sequence[str]) -> dict[str, Any]:
    root = Path(given.data_root)
    networks = {model: load_model(model) for model in given.models}
    measured: list[dict[str, Any]] = []
    for name in (*sets, DARK):
        source = open_source(root / f"{name}.tar")
        source = source.first(given.limit or len(source))
        pictures = list(dark_pictures(source) if name == DARK else frr_pictures(source))
        rows = rows_of(measure_enhancers(networks, pictures, told), given.models)
        measured.append({"set": name if name == DARK else f"{name}, FRR, seed 0", "rows": rows})
    return {"origin": measured_here(), "sets": measured}


def cost(given: argparse.Namespace) -> dict[str, Any]:
    """Parameters, FLOPs, memory and seconds of the whole pipeline for one face of 256x256."""
    rows: list[dict[str, Any]] = []
    for model in given.models:
        network = load_model(model) if model in shipped_weights() else build(model)
        rows.append({"model": model, "side": FULL, **measure_cost(network, FULL).as_dict()})
        print(json.dumps(rows[-1], indent=1))
    return {
        "conventions": "gflops: a multiply-add is two; peak_mib: most memory that tensors held at once "
        "beyond the weights, float32, one face; ms_per_face: median of 9",
        "paper": {"params": 9.29e6, "gflops": 411.86, "mib": 225},
        "origin": measured_here(),
        "rows": rows,
    }


SECTIONS = {"lifter": lifter, "prior": prior, "enhancer": enhancer, "shipped": shipped, "cost": cost}
MODELS = {
    "lifter": ["prior3d-lifter-small"],
    "prior": ["prior3d-prior-small"],
    "enhancer": ["prior3d-small"],
    "shipped": ["prior3d-small"],
    "cost": ["prior3d-small", "prior3d-paper"],
}


if __name__ == "__main__":
    run_section(__doc__, SECTIONS, MODELS)
