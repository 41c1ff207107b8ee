"""Write the tables of `benchmarks/results/published_peers.json` into `docs/research/baselines.md`.

python benchmarks/peer_pages.py            # rewrite the generated section of the page
python benchmarks/peer_pages.py --check    # write nothing; exit with 1 if the page is out of date
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import HEADINGS, RESULTS, ROOT, SCORES, cell, replace_section, table, update_pages

PAGE = ROOT / "docs" / "research" / "baselines.md"


def section_table(section: Mapping[str, Any]) -> str:
    """A section's heading and its rows, worst PSNR-Y first."""
    small, large = section["sides"]
    sides = f"{large} px" if small == large else f"{small} to {large} px"
    lines = [
        [row["model"], *(cell(row, key, digits) for key, _, digits, _ in SCORES)]
        for row in sorted(section["rows"], key=lambda row: row["psnr_y"])
    ]
    heading = f"{section['set']}, protocol {section['protocol']}, {section['images']} faces, {sides}:"
    return "\n\n".join([heading, table(["", *HEADINGS], lines)])


def pages() -> dict[Path, str]:
    """The page with up-to-date tables."""
    results = json.loads((RESULTS / "published_peers.json").read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    tables = "\n\n".join(section_table(section) for section in results.values())
    return {PAGE: replace_section(text, "published-peers", tables)}


if __name__ == "__main__":
    update_pages(pages)
