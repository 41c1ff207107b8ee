"""Write the tables of `benchmarks/results/lumiface_x4.json` into `docs/research/lumiface-x4.md`.

python benchmarks/x4_pages.py            # rewrite the generated sections of the page
python benchmarks/x4_pages.py --check    # write nothing; exit with 1 if the page is out of date
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import HEADINGS, RESULTS, ROOT, SCORES, Rows, cell, replace_section, table, update_pages

PAGE = ROOT / "docs" / "research" / "lumiface-x4.md"


def oracle_table(rows: Rows) -> str:
    """One row per ground-truth correction."""
    lines = ([row["correction"], cell(row, "psnr_y", 2)] for row in rows)
    return table(["ground-truth correction of each image", "PSNR-Y, dB"], lines)


def ablation_table(rows: Rows) -> str:
    """One row per variant: cost, mean, each seed, and the difference of the mean from the first variant."""
    first = rows[0]["psnr_y"]
    lines = [
        [
            row["variant"],
            f"{row['params'] / 1e6:.2f}",
            f"{row['gflops']:.2f}",
            f"{row['psnr_y']:.2f}",
            ", ".join(f"{score:.2f}" for score in row["by_seed"]),
            f"{row['psnr_y'] - first:+.2f}" if row is not rows[0] else "",
        ]
        for row in rows
    ]
    headings = ["variant", "parameters, M", "GFLOPs", "PSNR-Y, dB", "seeds 0, 1", "difference from the first"]
    return table(headings, lines)


def finetune_table(rows: Rows) -> str:
    """One row per setting and kind of pairs, with the difference from the first setting of each group."""

    def difference(row: Mapping[str, Any]) -> str:
        if "psnr_y_minus_first" not in row:
            return ""
        low, high = row["psnr_y_minus_first_ci"]
        return f"{row['psnr_y_minus_first']:+.2f} ({low:+.2f} to {high:+.2f})"

    lines: list[list[str]] = []
    for row in rows:
        (setting,) = set(row) & {"LPIPS", "sizes"}
        pairs = f"{row['pairs']}, {row['hr_size'] // 4} to {row['hr_size']} px"
        scores = [cell(row, key, digits, interval=False) for key, _, digits, _ in SCORES]
        lines.append([f"{setting}: {row[setting]}", pairs, *scores, difference(row)])
    headings = ["setting", "validation pairs", *HEADINGS, "difference in PSNR-Y"]
    return table(headings, lines, text_columns=2)


def pages() -> dict[Path, str]:
    """The page with up-to-date tables."""
    results = json.loads((RESULTS / "lumiface_x4.json").read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    sections = {"oracle": oracle_table, "ablation": ablation_table, "finetune": finetune_table}
    for name, write in sections.items():
        text = replace_section(text, name, write(results[name]["rows"]))
    return {PAGE: text}


if __name__ == "__main__":
    update_pages(pages)
