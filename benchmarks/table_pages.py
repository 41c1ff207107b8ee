"""Write the tables of `benchmarks/results/table2.json` into README and `docs/research/compare.md`.

python benchmarks/table_pages.py            # rewrite the generated sections of these pages
python benchmarks/table_pages.py --check    # write nothing; exit with 1 and name pages that are out of date
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import RESULTS, ROOT, Rows, cell, replace_section, table, update_pages

PAGE = ROOT / "docs" / "research" / "compare.md"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")

SET = "faces256-test"
LABELS = {
    "CTCNet": "CTCNet (narrowed)",
    "DLN": "DLN (narrowed)",
    "SPARNet": "SPARNet (narrowed)",
    "LSR": "LSR (reconstructed)",
}
README_METHODS = ("CTCNet", "LFSRNet", "LSR", "EDSR", "Omni-SR", "DLN + CTCNet", "SwinIR", "SRCNN")


def short_table(rows: Rows) -> str:
    """Selected methods, for README."""
    headings = ["method", "PSNR-Y, dB (95 % interval)", "SSIM-Y", "LPIPS", "landmarks, px", "ms per face"]
    return table(headings, ([*_scores(row), _number(row["ms_per_face"], 0)] for row in rows))


def full_table(rows: Rows) -> str:
    """All methods and reference rows, with costs and the paired difference from the best method."""
    headings = [
        "method", "PSNR-Y, dB (95 % interval)", "SSIM-Y", "LPIPS", "landmarks, px",
        "parameters, M", "GFLOPs", "ms per face", "PSNR-Y below the best",
    ]  # fmt: skip
    lines: list[list[str]] = []
    for row in rows:
        params = _number(row["params"] / 1e6 if row["params"] else None, 2)
        costs = [params, _number(row["gflops"], 2), _number(row["ms_per_face"], 0)]
        lines.append([*_scores(row), *costs, _difference(row)])
    return table(headings, lines)


def _scores(row: Mapping[str, Any]) -> list[str]:
    name = " + ".join(LABELS.get(stage, stage) for stage in row["method"].split(" + "))
    name = f"**{name}**" if name == "LFSRNet" else name
    others = [f"{row['ssim_y']:.3f}", f"{row['lpips_squeeze']:.3f}", f"{row['landmark_px']:.2f}"]
    return [name, cell(row, "psnr_y", 2), *others]


def _difference(row: Mapping[str, Any]) -> str:
    """Paired difference with its interval; ≈ where it is not significant."""
    low, high = row["psnr_y_behind_best_ci"]
    if row["method"] == "oracle" or low == high:
        return ""
    sign = "≈ " if low <= 0.0 <= high else ""
    return f"{sign}{row['psnr_y_behind_best']:.2f} ({low:.2f} to {high:.2f})"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def pages() -> dict[Path, str]:
    """The pages with up-to-date tables."""
    found = json.loads((RESULTS / "table2.json").read_text(encoding="utf-8"))
    rows = [row for row in found["rows"] if row["set"] == SET]
    rows.sort(key=lambda row: row["psnr_y"], reverse=True)
    selected = [row for row in rows if row["method"] in README_METHODS]
    sections = dict.fromkeys(READMES, ("baselines", short_table(selected)))
    sections[PAGE] = ("table2", full_table(rows))
    return {
        path: replace_section(path.read_text(encoding="utf-8"), name, content)
        for path, (name, content) in sections.items()
    }


if __name__ == "__main__":
    update_pages(pages)
