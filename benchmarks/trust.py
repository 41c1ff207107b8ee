"""How well the trust figures of `restore` predict what only the true face tells.

    python benchmarks/trust.py guard --data-root DATA --json benchmarks/results/trust.json

fit: calibrates the invention map on faces256-val and writes `restoration/trust/invention.json`. limits: how
dark, small and blurred faces may be, on faces256-val. threshold: identities of different people, on the same.
invention_rank_correlation, identity_auc, identity_rank_correlation, guard, cost: on faces256-test and other
held-out faces. Each section of the JSON file has its own commit, machine and settings; the other sections are
not changed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from sections import current_provenance, first_pictures, report_progress, run_section
from torch import Tensor
from trust_identity import cost, guard, identity_auc, identity_rank_correlation, limits, threshold

from lumiface.core.files import write_bytes
from lumiface.evaluation.studies.trust import (
    KnownFaceRestorer,
    invention_evidence,
    known_faces,
    spearman,
)
from lumiface.faces.measure import inner_face
from lumiface.restoration.trust import invention
from lumiface.restoration.trust.invention import FEATURES, FLOOR, PLACES, SIDE, Calibration, expected_error

VAL, TEST = "faces256-val", "faces256-test"
FITTED = ("camera", "llf", "dark-blind")
LOCAL = FEATURES[:4]
"""The features that differ within a face."""
RIDGE = 1e-3


def evidence(args: argparse.Namespace, name: str, protocol: Any, most: int, place: Tensor) -> list[Any]:
    """Features, true error and measures of the restored faces of a set."""
    source, restorer = first_pictures(args, name, most), KnownFaceRestorer()
    found: list[Any] = []
    for known in known_faces(source, protocol):
        found.append(invention_evidence(known, restorer, place))
        report_progress(len(found), len(source))
    return found


def fit(args: argparse.Namespace) -> dict[str, Any]:
    """Least squares of the logarithm of the error over the skin of all faces; the place comes first."""
    blank = torch.zeros(PLACES, PLACES)
    found = [row for protocol in FITTED for row in evidence(args, VAL, protocol, 50, blank)]
    skin = inner_face(SIDE, torch.device("cpu"))[0, 0] > 0
    values = torch.stack([row[0] for row in found])
    errors = torch.cat([row[1] for row in found])[:, 0].add(FLOOR).log()
    relative = errors - errors[:, skin].mean(1)[:, None, None]
    place = F.interpolate(relative.mean(0)[None, None], size=(PLACES, PLACES), mode="area")[0, 0]
    values[:, FEATURES.index("place")] = F.interpolate(place[None, None], size=(SIDE, SIDE), mode="bicubic")[
        0
    ]
    rows = values[:, :, skin].permute(0, 2, 1).reshape(-1, len(FEATURES)).double()
    design = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
    target = errors[:, skin].flatten().double()
    normal = design.mT @ design + RIDGE * torch.eye(design.shape[1], dtype=torch.float64)
    solution = torch.linalg.solve(normal, design.mT @ target)
    # The mean of exponentials is not the exponential of the mean: the map is to be right on average.
    bias = float(solution[-1] + (target.exp().mean() / (design @ solution).exp().mean()).log())
    weights = {name: round(float(weight), 4) for name, weight in zip(FEATURES, solution[:-1], strict=True)}
    fitted = {
        "command": "python benchmarks/trust.py fit --data-root DATA",
        "faces": f"{VAL}, first {len(found) // len(FITTED)}, protocols {', '.join(FITTED)}",
        "weights": weights,
        "bias": round(bias, 4),
        "place": [[round(value, 3) for value in row] for row in place.tolist()],
    }
    target_file = Path(invention.__file__).with_name("invention.json")
    write_bytes(target_file, (json.dumps(fitted) + "\n").encode())
    print(weights, bias)
    return {
        "weights": weights,
        "bias": fitted["bias"],
        "set": fitted["faces"],
        "origin": current_provenance(),
    }


def invention_rank_correlation(args: argparse.Namespace) -> dict[str, Any]:
    """Spearman's rank correlation of map and true error over the skin of each face, mean over the faces."""
    fitted: Calibration = invention.calibration()
    skin = inner_face(SIDE, torch.device("cpu"))[0, 0] > 0
    rows: list[dict[str, Any]] = []
    for protocol, count in (("camera", 100), ("llf", 50), ("dark-blind", 20)):
        correlations: list[float] = []
        alone: dict[str, list[float]] = {name: [] for name in LOCAL}
        levels: list[tuple[float, float]] = []
        for values, error, _ in evidence(args, TEST, protocol, count, fitted.place):
            expected = expected_error(values, fitted)[0, 0][skin]
            truth = error[0, 0][skin]
            correlations.append(spearman(expected, truth))
            for index, name in enumerate(LOCAL):
                alone[name].append(spearman(values[index][skin], truth))
            levels.append((float(expected.mean()), float(truth.mean())))
        expected, truth = torch.tensor(levels).unbind(1)
        rows.append(
            {
                "protocol": protocol,
                "faces": len(correlations),
                "mean": sum(correlations) / len(correlations),
                "at_least_0.5": sum(value >= 0.5 for value in correlations) / len(correlations),
                "by_one_feature": {name: sum(found) / len(found) for name, found in alone.items()},
                "mean_expected_error": float(expected.mean()),
                "mean_true_error": float(truth.mean()),
                "between_faces": spearman(expected, truth),
            }
        )
        print(rows[-1])
    return {
        "value": rows[0]["mean"],
        "set": f"{TEST}, skin from brows to chin, errors smoothed by a Gaussian of {invention.SMOOTHING:g} of"
        f" {SIDE} px, gain and offset of each channel set right",
        "origin": current_provenance(),
        "rows": rows,
    }


SECTIONS = {
    "fit": fit,
    "threshold": threshold,
    "limits": limits,
    "invention_rank_correlation": invention_rank_correlation,
    "identity_auc": identity_auc,
    "identity_rank_correlation": identity_rank_correlation,
    "guard": guard,
    "cost": cost,
}
MODELS: dict[str, list[str]] = {name: [] for name in SECTIONS}


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_section(__doc__, SECTIONS, MODELS)
