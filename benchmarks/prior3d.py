"""Scores of the 3D prior and the enhancer, section by section.

    python benchmarks/prior3d.py lifter --data-root DATA --json benchmarks/results/prior3d.json

lifter: reconstruction of faces as tri-planes. prior: samples of the prior for dark faces. enhancer: the
method and the variants of its ablation. shipped: the shipped model, on more sets. cost: of the whole
pipeline. Each section of the JSON file has its own commit, machine and settings; the other sections are not
changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sections import current_provenance, model_rows, report_progress, run_section, training_budget

from lumiface.data.sources import open_source
from lumiface.data.training.view_set import load_views
from lumiface.evaluation.cost import measure_cost
from lumiface.evaluation.studies.lifter import YAWS, lifter_row, measure_lifter, render_views
from lumiface.evaluation.studies.prior3d import (
    dark_pictures,
    frr_pictures,
    measure_enhancers,
    measure_priors,
)
from lumiface.figures.grid import picture_grid
from lumiface.imaging.io import Picture, write_picture
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import build, load_model, read_metadata, shipped_weights

SETS = ("faces256-test",)
DARK = "dark256-test"
SIDE = 128
FULL_SIDE = 256


def lifter(args: argparse.Namespace) -> dict[str, Any]:
    """PSNR and LPIPS of renderings from the photographs' own cameras, and the correlation of depth."""
    (model,) = args.models
    network: Any = load_model(model, kind="prior3d-lifter")
    rows: list[dict[str, Any]] = []
    for name in SETS:
        root = Path(args.data_root)
        views = load_views([root / f"{name}.tar"], root / f"{name}-mesh468.npz")
        scores = measure_lifter(network, views, SIDE, LPIPS("squeeze"))
        rows.append({"set": name, "side": SIDE, **lifter_row(scores)})
        print(json.dumps(rows[-1], indent=2))
        if args.sheet:
            indices = list(range(0, len(views), max(1, len(views) // 8)))[:8]
            sheet = render_views(network, views, indices, SIDE)
            write_picture(Picture(picture_grid(sheet, columns=len(YAWS) + 2)), args.sheet)
    metadata = read_metadata(model)
    return {
        "model": model,
        "params": sum(parameter.numel() for parameter in network.parameters()),
        "settings": metadata["config"],
        "budget": training_budget(metadata),
        "run": metadata["provenance"]["run"],
        "origin": current_provenance(),
        "rows": rows,
    }


def prior(args: argparse.Namespace) -> dict[str, Any]:
    """Diffusion and regression, both against the lifter's rendering of the bright faces."""
    root, (name,) = Path(args.data_root), SETS
    views = load_views([root / f"{name}.tar"], root / f"{name}-mesh468.npz")
    source = open_source(root / f"{name}.tar").first(args.limit or len(views))
    priors = {model: load_model(model, kind="prior3d-prior") for model in args.models}
    lifter = load_model("prior3d-lifter-small", kind="prior3d-lifter")
    scores = measure_priors(priors, lifter, views, source, SIDE, report_progress)
    return {
        "set": f"{name}, FRR, seed 0",
        "side": SIDE,
        "origin": current_provenance(),
        "rows": model_rows(scores, args.models),
    }


def enhancer(args: argparse.Namespace) -> dict[str, Any]:
    """The method and its variants: FRR-degraded faces against their ground truth, real dark ones without."""
    return enhanced_sets(args, SETS)


def shipped(args: argparse.Namespace) -> dict[str, Any]:
    """The shipped model, on darkened faces of three sources and on real dark ones."""
    return enhanced_sets(args, (*SETS, "faces256-hq", "faces256-london"))


def enhanced_sets(args: argparse.Namespace, sets: Sequence[str]) -> dict[str, Any]:
    root = Path(args.data_root)
    networks = {model: load_model(model) for model in args.models}
    sections: list[dict[str, Any]] = []
    for name in (*sets, DARK):
        source = open_source(root / f"{name}.tar")
        source = source.first(args.limit or len(source))
        pictures = list(dark_pictures(source) if name == DARK else frr_pictures(source))
        rows = model_rows(measure_enhancers(networks, pictures, report_progress), args.models)
        sections.append({"set": name if name == DARK else f"{name}, FRR, seed 0", "rows": rows})
    return {"origin": current_provenance(), "sets": sections}


def cost(args: argparse.Namespace) -> dict[str, Any]:
    """Parameters, FLOPs, memory and time of the whole pipeline for one face of 256x256."""
    rows: list[dict[str, Any]] = []
    for model in args.models:
        network = load_model(model) if model in shipped_weights() else build(model)
        rows.append({"model": model, "side": FULL_SIDE, **measure_cost(network, FULL_SIDE).as_dict()})
        print(json.dumps(rows[-1], indent=1))
    return {
        "conventions": "gflops: a multiply-add is two; peak_mib: peak memory of tensors beyond the weights, "
        "float32, one face; ms_per_face: median of 9",
        "paper": {"params": 9.29e6, "gflops": 411.86, "mib": 225},
        "origin": current_provenance(),
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
