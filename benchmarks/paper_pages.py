"""Write the tables of prior3d and fusion_bfr into `docs/research/papers.md`, the papers' rows beside ours.

python benchmarks/paper_pages.py            # rewrite the generated sections of the page
python benchmarks/paper_pages.py --check    # write nothing; exit with 1 if the page is out of date
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pages import RESULTS, ROOT, Rows, replace_section, table, update_pages

from lumiface.evaluation.metric_suite import METRICS

PAGE = ROOT / "docs" / "research" / "papers.md"
FILES = ("prior3d_tables.json", "fusion_bfr_tables.json")

HEADINGS = {
    "psnr_y": ("PSNR-Y, dB", 2),
    "ssim_y": ("SSIM-Y", 3),
    "lpips_squeeze": ("LPIPS", 3),
    "identity_edgeface": ("identity", 3),
    "niqe": ("NIQE", 2),
    "brisque": ("BRISQUE", 1),
    "fd_squeezenet": ("Fréchet distance", 0),
}
LABELS = {"DLN": "DLN (narrowed)", "ZERO-IG": "ZERO-IG (reduced)"}
COSTS = {"params": ("parameters, M", 1e6, 2), "gflops": ("GFLOPs", 1, 1), "peak_mib": ("memory, MiB", 1, 0)}


def scores(report: Mapping[str, Any]) -> str:
    """One table per set: all metrics that were measured, the first with its interval."""
    parts: list[str] = []
    for name, about in report["sets"].items():
        rows: Rows = [row for row in report["rows"] if row["set"] == name]
        metrics = [metric for metric in HEADINGS if any(row.get(metric) is not None for row in rows)]
        lines = [
            [_name(row), *(_cell(row, metric, metric == metrics[0]) for metric in metrics)] for row in rows
        ]
        parts += [
            f"{name}, protocol {about['name']}, {about['images']} pictures of {about['hr_size']} px:",
            "",
        ]
        parts += [table(["", *(HEADINGS[metric][0] for metric in metrics)], lines), ""]
    return "\n".join(parts).rstrip()


def differences(report: Mapping[str, Any], against: str) -> str:
    """Each row minus the method: what three seeds and the pictures say, metric by metric."""
    parts: list[str] = []
    for name in report["sets"]:
        rows = [row for row in report["rows"] if row["set"] == name and row.get("against") and row["stages"]]
        metrics = [metric for metric in HEADINGS if any(metric in row["against"] for row in rows)]
        lines = [
            [row["method"], *(_difference(row["against"].get(metric), metric) for metric in metrics)]
            for row in rows
        ]
        parts += [f"{name}, minus {against}:", ""]
        parts += [table(["", *(HEADINGS[metric][0] for metric in metrics)], lines), ""]
    return "\n".join(parts).rstrip()


def costs(report: Mapping[str, Any]) -> str:
    """Parameters, operations and memory at the table's size."""
    first = next(iter(report["sets"]))
    rows = [row for row in report["rows"] if row["set"] == first and row["stages"]]
    lines = [
        [
            _name(row),
            *(
                "" if row[key] is None else f"{row[key] / size:.{digits}f}"
                for key, (_, size, digits) in COSTS.items()
            ),
        ]
        for row in rows
    ]
    return table(["", *(heading for heading, _, _ in COSTS.values())], lines)


def published(report: Mapping[str, Any]) -> str:
    """The paper's own table, and the rows that cannot be run."""
    paper = report["published"]
    parts = [
        "The paper's:",
        "",
        table(paper["columns"], ([str(cell) for cell in row] for row in paper["rows"])),
    ]
    if report.get("impossible"):
        parts += ["", "Rows of the paper that cannot be run:", ""]
        parts += [f"- {name}: {reason}" for name, reason in report["impossible"].items()]
    return "\n".join(parts)


def _name(row: Mapping[str, Any]) -> str:
    name = LABELS.get(row["method"], row["method"])
    return f"**{name}**" if name.startswith("this method") else name


def _cell(row: Mapping[str, Any], metric: str, with_interval: bool) -> str:
    value, digits = row.get(metric), HEADINGS[metric][1]
    if value is None:
        return "–"
    interval: Sequence[float] | None = row.get(f"{metric}_ci") if with_interval else None
    ends = "" if interval is None else f" ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"
    return f"{value:,.{digits}f}{ends}"


def _difference(found: Mapping[str, Any] | None, metric: str) -> str:
    """ "+0.12 (−0.05…+0.29), cannot be told"."""
    if found is None:
        return "–"
    digits = HEADINGS[metric][1]
    text = f"{found['difference']:+.{digits}f}"
    if found["ci"] is not None:
        low, high = found["ci"]
        text += f" ({low:+.{digits}f}…{high:+.{digits}f})"
    better = METRICS[metric].better
    words = {better: "**better**", "higher" if better == "lower" else "lower": "**worse**"}
    return f"{text} {words.get(found['decided'], found['decided'])}".replace("-", "−")


def pages() -> dict[Path, str]:
    """The page with up-to-date tables."""
    text = PAGE.read_text(encoding="utf-8")
    for file in FILES:
        for name, report in json.loads((RESULTS / file).read_text(encoding="utf-8")).items():
            own = costs(report) if name == "prior3d-table3" else scores(report)
            parts = [own]
            against = [row for row in report["rows"] if row.get("against")]
            if against:
                parts.append(differences(report, "this method"))
            text = replace_section(text, name, "\n\n".join([*parts, published(report)]))
    return {PAGE: text}


if __name__ == "__main__":
    update_pages(pages)
