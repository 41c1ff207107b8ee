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

LABELS = {
    "nothing": "none",
    "a factor and an offset a colour": "per-channel gain and offset",
    "a curve a colour": "per-channel tone curve",
    "the mean colour of each of 4 x 4 tiles": "mean colour of each of 4 × 4 tiles",
    "light not apart": "without illumination head",
    "without spectra": "without spectral loss",
    "spectra 0.2": "spectral loss 0.2",
    "charbonnier for l1": "Charbonnier instead of L1",
    "small faces first": "small faces first (16 px, then 32 px)",
    "averaged weights 0.9": "EMA decay 0.9",
    "without averaged weights": "without EMA",
    "a fourth level": "four levels instead of three",
    "a deeper middle": "bottleneck of 4 blocks, head of 24 and 12 channels",
    "lfsrnet-lite, log_mse, taught 0.5": "lfsrnet-lite, log_mse, distill_weight 0.5",
    "lfsrnet-lite, log_mse, taught 2": "lfsrnet-lite, log_mse, distill_weight 2",
    "sizes: 64 px alone": "sizes: 64 px only",
}
"""The result file's row names that are spelled out in the page."""


def oracle_table(rows: Rows) -> str:
    """One row per ground-truth correction."""
    lines = ([_label(row.get("correction", row.get("told"))), cell(row, "psnr_y", 2)] for row in rows)
    return table(["ground-truth correction of each image", "PSNR-Y, dB"], lines)


def ablation_table(rows: Rows) -> str:
    """One row per variant: cost, mean, each seed, and the difference of the mean from the first variant."""
    first = rows[0]["psnr_y"]
    lines = [
        [
            _label(row["variant"]),
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
        lines.append([_label(f"{setting}: {row[setting]}"), pairs, *scores, difference(row)])
    headings = ["setting", "validation pairs", *HEADINGS, "difference in PSNR-Y"]
    return table(headings, lines, text_columns=2)


def _label(name: Any) -> str:
    return LABELS.get(name, name)


def pages() -> dict[Path, str]:
    """The page with up-to-date tables."""
    results = json.loads((RESULTS / "lumiface_x4.json").read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    sections = (
        ("oracle", ("oracle", "told"), oracle_table),
        ("ablation", ("ablation",), ablation_table),
        ("finetune", ("finetune", "further"), finetune_table),
    )
    for name, keys, write in sections:  # a result file of before this page has the second key
        key = next(key for key in keys if key in results)
        text = replace_section(text, name, write(results[key]["rows"]))
    return {PAGE: text}


if __name__ == "__main__":
    update_pages(pages)
