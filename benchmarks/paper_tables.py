"""The tables of prior3d and of fusion_bfr, trained, measured and written section by section.

    python benchmarks/paper_tables.py prior3d --data-root DATA --json FILE
    python benchmarks/paper_tables.py fusion_bfr --data-root DATA --json FILE

As `lumiface compare` of each table with the folder `benchmarks/compare/BUDGET`: what is finished there is not
repeated. A table of which a row is missing is not written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pages import ROOT

from lumiface.comparison.config import read_budget, read_table
from lumiface.comparison.run import compare
from lumiface.comparison.workers import Workers
from lumiface.core.files import write_bytes

TABLES = {
    "prior3d": ("prior3d-table1", "prior3d-table2", "prior3d-table3"),
    "fusion_bfr": ("fusion-bfr-table1", "fusion-bfr-table2"),
}


def measure(name: str, budget_name: str, args: argparse.Namespace) -> dict[str, Any] | None:
    """One table's report without its scores per picture; None where a row could not be trained."""
    table = read_table(name).model_copy(update={"budget": budget_name, "figure_faces": 0})
    folder = ROOT / "benchmarks" / "compare" / budget_name
    workers = Workers(args.data_root, jobs=args.jobs)
    comparison = compare(table, read_budget(budget_name), folder, workers)
    for line in comparison.failures:
        print(line)
    if comparison.failures or comparison.report is None:
        return None
    return {key: value for key, value in comparison.report.items() if key != "per_image"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paper", choices=list(TABLES))
    parser.add_argument("--data-root", required=True, help="folder of the training and test sets")
    parser.add_argument("--json", type=Path, required=True, help="file in which the tables are written")
    parser.add_argument("--budget", default="tiny", help="name in configs/compare/budgets")
    parser.add_argument("--jobs", type=int, default=1, help="parallel runs")
    args = parser.parse_args()
    for name in TABLES[args.paper]:
        report = measure(name, args.budget, args)
        if report is None:
            continue
        stored = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {}
        write_bytes(args.json, (json.dumps(stored | {name: report}, indent=1) + "\n").encode())
        print(f"{name}: written into {args.json}")


if __name__ == "__main__":
    main()
