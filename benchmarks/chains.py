"""One joint network against chains of two, and the order of a chain, from the stored scores of Table 2.

    python benchmarks/chains.py --json benchmarks/results/chains.json

Nothing is trained or evaluated. Of each network and test set: the joint network minus both chains in PSNR-Y,
and "X + DLN" (super-resolution first) minus "DLN + X" in all metrics, paired over pictures, one seed each. A
comparison is decided where its 95 % interval excludes zero.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pages import ROOT

from lumiface.comparison.config import read_budget, read_table
from lumiface.comparison.plan import PlannedRow, plan_rows
from lumiface.comparison.scores import read_measured, set_name
from lumiface.core.files import write_bytes
from lumiface.evaluation.metric_suite import METRICS

NETWORKS = ("CTCNet", "EDSR", "LFSRNet", "Omni-SR", "SPARNet", "SwinIR")
ORDER_METRICS = ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px")
SCORES = ROOT / "benchmarks" / "compare" / "tiny"


def difference(row: PlannedRow, first: PlannedRow, source: str, metric: str) -> dict[str, Any]:
    """`row` minus `first`, signed so that more than zero is better."""
    (own,), (other,) = read_measured(row.score_folder, source), read_measured(first.score_folder, source)
    found = own.accumulator(0).difference(metric, other.accumulator(0))
    assert found is not None
    assert found.value is not None
    assert found.interval is not None
    sign = 1 if METRICS[metric].better == "higher" else -1
    low, high = sorted(sign * end for end in found.interval)
    return {"set": set_name(source), "difference": sign * found.value, "ci": [low, high]}


def summary(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """How many are better and worse, and of how many the interval says so; the largest and smallest."""
    values = [entry["difference"] for entry in entries]
    return {
        "comparisons": len(entries),
        "better": sum(value > 0 for value in values),
        "better_decided": sum(entry["ci"][0] > 0 for entry in entries),
        "worse_decided": sum(entry["ci"][1] < 0 for entry in entries),
        "range": [min(values), max(values)],
    }


def compare_chains() -> dict[str, Any]:
    table = read_table("table2")
    rows = {row.name: row for row in plan_rows(table, read_budget("tiny"), SCORES)}
    joint: list[dict[str, Any]] = []
    order: dict[str, list[dict[str, Any]]] = {metric: [] for metric in ORDER_METRICS}
    for network in NETWORKS:
        first, last = rows[f"{network} + DLN"], rows[f"DLN + {network}"]
        for source in (one.source for one in table.sets):
            joint += [
                {"network": network, "chain": chain.name} | difference(rows[network], chain, source, "psnr_y")
                for chain in (first, last)
            ]
            for metric, entries in order.items():
                entries.append({"network": network} | difference(first, last, source, metric))
    return {
        "joint_minus_chain": summary(joint) | {"rows": joint},
        "super_resolution_first": {
            metric: summary(entries) | {"rows": entries} for metric, entries in order.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True, help="file in which the comparison is written")
    args = parser.parse_args()
    found = compare_chains()
    write_bytes(args.json, (json.dumps(found, indent=1) + "\n").encode())
    for name, part in (
        ("joint minus chain", found["joint_minus_chain"]),
        *found["super_resolution_first"].items(),
    ):
        print(name, {key: value for key, value in part.items() if key != "rows"})


if __name__ == "__main__":
    main()
