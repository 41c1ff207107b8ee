"""Write the table by group of `benchmarks/results/trust.json` into the pages and model cards that have one.

python benchmarks/fairness_pages.py            # rewrite the generated sections
python benchmarks/fairness_pages.py --check    # write nothing; exit with 1 if a page is out of date
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import RESULTS, ROOT, replace_section, table, update_pages

from lumiface.figures.console_tables import FAIRNESS_DIGITS

PAGES = (
    ROOT / "docs" / "use" / "faces.md",
    ROOT / "docs" / "research" / "evaluate.md",
    ROOT / "src" / "lumiface" / "weights" / "lumiface-x4-real.md",
    ROOT / "src" / "lumiface" / "weights" / "fusion-bfr-128.md",
)
SECTION = "fairness"
HEADINGS = (
    "group", "equal in every pixel", "light, %", "of any face, %", "chroma, %", "identity",
    "darkened: identity", "PSNR-Y, dB", "LPIPS",
)  # fmt: skip


def fairness_table(summary: Mapping[str, Any]) -> str:
    """A row per group with intervals, and one for the gaps."""
    lines: list[list[str]] = []
    for group, row in summary["groups"].items():
        cells = [
            _with_interval(row[measure]["mean"], row[measure]["ci"], measure) for measure in FAIRNESS_DIGITS
        ]
        cells.insert(1, f"{row['largest']:.1f}")
        lines.append([group, f"{row['unchanged']} of {row['pictures']}", *cells])
    gaps = [_with_interval(found["gap"], found["ci"], measure) for measure, found in _gaps(summary)]
    gaps.insert(1, "")
    lines.append(["gap", "", *gaps])
    return table(HEADINGS, lines)


def _gaps(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(measure, summary["gaps"][measure]) for measure in FAIRNESS_DIGITS]


def _with_interval(value: float, interval: tuple[float, float], measure: str) -> str:
    digits = FAIRNESS_DIGITS[measure]
    mean, low, high = (f"{round(number, digits) + 0.0:.{digits}f}" for number in (value, *interval))  # no -0
    return f"{mean} ({low} to {high})"


def pages() -> dict[Path, str]:
    """The pages with up-to-date tables."""
    results = json.loads((RESULTS / "trust.json").read_text(encoding="utf-8"))
    content = fairness_table(results["fairness"]["after"])
    return {path: replace_section(path.read_text(encoding="utf-8"), SECTION, content) for path in PAGES}


if __name__ == "__main__":
    update_pages(pages)
