"""Write the tables of `benchmarks/results/lumiface_x4.json` into `docs/lumiface-x4.md`.

python benchmarks/x4_pages.py            # what stands between the marks that `pages` knows
python benchmarks/x4_pages.py --check    # write nothing; exit 1, and name what is not up to date
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import HEADINGS, RESULTS, ROOT, SCORES, Rows, cell, filled, refresh, table

PAGE = ROOT / "docs" / "lumiface-x4.md"


def told_of(rows: Rows) -> str:
    """A line a thing told."""
    return table(
        ["told, of each picture", "PSNR-Y, dB"], ([row["told"], cell(row, "psnr_y", 2)] for row in rows)
    )


def ablation_of(rows: Rows) -> str:
    """A line a variant: cost, mean, each seed, and how the mean differs from the first variant's."""
    first = rows[0]["psnr_y"]
    lines = [
        [
            row["variant"],
            f"{row['params'] / 1e6:.2f}",
            f"{row['gflops']:.2f}",
            f"{row['psnr_y']:.2f}",
            ", ".join(f"{reached:.2f}" for reached in row["by_seed"]),
            f"{row['psnr_y'] - first:+.2f}" if row is not rows[0] else "",
        ]
        for row in rows
    ]
    return table(["", "parameters, M", "GFLOPs", "PSNR-Y, dB", "by seed", "against the first"], lines)


def further_of(rows: Rows) -> str:
    """A line an answer and a kind of pairs; the difference from the first answer where it is none itself."""

    def difference(row: Mapping[str, Any]) -> str:
        if "psnr_y_minus_first" not in row:
            return ""
        low, high = row["psnr_y_minus_first_ci"]
        return f"{row['psnr_y_minus_first']:+.2f} ({low:+.2f} to {high:+.2f})"

    lines: list[list[str]] = []
    for row in rows:
        (question,) = set(row) & {"LPIPS", "sizes"}
        pairs = f"{row['pairs']}, {row['hr_size'] // 4} to {row['hr_size']} px"
        scores = [cell(row, key, digits, interval=False) for key, _, digits, _ in SCORES]
        lines.append([f"{question}: {row[question]}", pairs, *scores, difference(row)])
    return table(["", "pairs", *HEADINGS, "PSNR-Y against the first"], lines)


def pages() -> dict[Path, str]:
    """The page, as it should be."""
    found = json.loads((RESULTS / "lumiface_x4.json").read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    for mark, write in (("told", told_of), ("ablation", ablation_of), ("further", further_of)):
        text = filled(text, mark, write(found[mark]["rows"]))
    return {PAGE: text}


if __name__ == "__main__":
    refresh(pages)
