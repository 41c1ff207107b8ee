"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

SCORES_CAPTION = (
    "Outputs clipped and rounded to 8 bits; no crop. PSNR and SSIM on Y of BT.601, limited range; ±: 95 % "
    "interval (bootstrap). LPIPS v0.1 with SqueezeNet on RGB, not with AlexNet. Landmark: mean distance of "
    "MTCNN's five points, pixels of the target; in brackets, pictures without a detected face."
)


def score_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """One row per method, from `benchmark.Row.as_dict`; the best of each column except the oracle is bold."""
    table = Table(title=title, caption=SCORES_CAPTION, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title_justify = table.caption_justify = "left"
    table.add_column("method", overflow="fold", min_width=20)
    for heading in ("PSNR-Y\ndB ↑", "SSIM-Y\n↑", "LPIPS\n↓", "landmark\npx ↓", "ms per\nface", "params"):
        table.add_column(heading, justify="right", no_wrap=True)
    candidates = [row for row in rows if row["method"] != "oracle"]
    best = {
        key: choose((row[key] for row in candidates if row[key] is not None), default=None)
        for key, choose in (("psnr_y", max), ("ssim_y", max), ("lpips_squeeze", min), ("landmark_px", min))
    }

    def cell(row: Mapping[str, Any], key: str, digits: int, extra: str = "") -> str:
        if row[key] is None:
            return "–" + extra
        number = f"{row[key]:.{digits}f}"
        return (f"[bold]{number}[/]" if row in candidates and row[key] == best[key] else number) + extra

    for row in rows:
        low, high = row["psnr_y_ci"] or (0.0, 0.0)
        missing = row["no_face_in_target"] + row["no_face_in_output"]
        table.add_row(
            row["method"],
            cell(row, "psnr_y", 2, f" ±{(high - low) / 2:.2f}"),
            cell(row, "ssim_y", 4),
            cell(row, "lpips_squeeze", 4),
            cell(row, "landmark_px", 2, f" ({missing})" if missing else ""),
            f"{row['ms_per_face']:.1f}",
            amount(row["params"]) if row["params"] else "–",
        )
    return table


FAIRNESS_CAPTION = (
    "Well-lit faces as they are, and the same darkened as in LLF, restored at their size. luma, chroma: "
    "change of the mean; most: of any face, without its sign; same: equal in every pixel. Identity: cosine "
    "of EdgeFace embeddings with the original. Gap: largest minus smallest mean of a group, and its 95 % "
    "interval."
)


FAIRNESS_DIGITS = {
    "lit_luma": 2,
    "lit_chroma": 2,
    "lit_identity": 4,
    "dark_identity": 3,
    "dark_psnr_y": 2,
    "dark_lpips": 3,
}
"""The measures of `evaluation.fairness.summarise` in the order of the columns, and their decimals."""


def fairness_table(summary: Mapping[str, Any], title: str) -> Table:
    """One row per group and one for the gaps, from `evaluation.fairness.summarise`."""
    table = Table(title=title, caption=FAIRNESS_CAPTION, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title_justify = table.caption_justify = "left"
    table.add_column("group", overflow="fold", min_width=6)
    for heading in ("faces", "same", "luma\n%", "most\n%", "chroma\n%", "iden-\ntity"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("dark:\nidentity", "PSNR-Y\ndB", "LPIPS"):
        table.add_column(heading, justify="right", no_wrap=True)

    def mean(row: Mapping[str, Any], measure: str) -> str:
        value = row[measure]["mean"]
        return "–" if value is None else f"{value:.{FAIRNESS_DIGITS[measure]}f}"

    for group, row in summary["groups"].items():
        cells = [mean(row, measure) for measure in FAIRNESS_DIGITS]
        cells.insert(1, f"{row['largest']:.1f}")
        table.add_row(group, str(row["pictures"]), str(row["unchanged"]), *cells)

    def gap(measure: str, pick: Callable[[Mapping[str, Any]], float]) -> str:
        found = summary["gaps"].get(measure)
        return "–" if found is None else f"{pick(found):.{FAIRNESS_DIGITS[measure]}f}"

    table.add_section()
    rows: dict[str, Callable[[Mapping[str, Any]], float]] = {
        "gap": lambda found: found["gap"],
        "from": lambda found: found["ci"][0],
        "to": lambda found: found["ci"][1],
    }
    for name, pick in rows.items():
        cells = [gap(measure, pick) for measure in FAIRNESS_DIGITS]
        cells.insert(1, "")
        table.add_row(name, "", "", *cells)
    return table


def amount(number: float) -> str:
    """1_234_567 -> "1.23 M"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g}"
