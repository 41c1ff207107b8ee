"""What `restore` does to well-lit and to darkened faces of four groups of people, into one file of results.

    python benchmarks/fairness.py after --data-root DATA --json benchmarks/results/trust.json

The set is tones128, 80 faces of each group; the measures are those of `lumiface evaluate --fairness`.
`before` and `after` are the code before and after a change of how a face is judged dark (commit in
`provenance`). The other sections of the file, and the other of the two, stay.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from sections import current_provenance, report_progress

from lumiface.core.files import write_bytes
from lumiface.evaluation.fairness import SEED, first_of_each, measure_fairness, read_groups, summarise
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer

SET = "tones128"
SECTION = "fairness"


def measure(data_root: Path, limit: int | None) -> dict[str, Any]:
    """The summary of the whole set, by the default restoration at scale 1."""
    torch.set_num_threads(1)
    source, groups = first_of_each(*read_groups(data_root / f"{SET}.tar"), limit)
    restorer = Restorer(config=RestoreConfig(scale=1))
    summary = summarise(measure_fairness(source, groups, restorer, report_progress))
    protocol = {"set": SET, "scale": 1, "darkening": "llf at full size", "seed": SEED}
    return {"protocol": protocol, **summary, "provenance": current_provenance()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("when", choices=["before", "after"])
    parser.add_argument("--data-root", type=Path, required=True, help="folder of the test sets")
    parser.add_argument("--limit", type=int, help="use only the first N faces of each group")
    parser.add_argument("--json", type=Path, help="file in which the section is written")
    args = parser.parse_args()
    summary = measure(args.data_root, args.limit)
    print(json.dumps({key: summary[key] for key in ("groups", "gaps")}, indent=1))
    if args.json:
        stored = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {}
        section = stored.get(SECTION, {}) | {args.when: summary}
        write_bytes(args.json, (json.dumps(stored | {SECTION: section}, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
