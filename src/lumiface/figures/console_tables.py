"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

SCORES_CAPTION = (
    "Outputs clipped and rounded to 8 bits; no crop. PSNR and SSIM on Y of BT.601, limited range; ±: 95 % "
    "interval (bootstrap). LPIPS v0.1 with SqueezeNet on RGB, not with AlexNet."
)

_FACES = (
    " Landmark: mean distance of MTCNN's five points, pixels of the target; in brackets, pictures without a "
    "detected face."
)

SCORE_COLUMNS = {
    "psnr_y": ("PSNR-Y\ndB ↑", 2, max),
    "ssim_y": ("SSIM-Y\n↑", 4, max),
    "lpips_squeeze": ("LPIPS\n↓", 4, min),
    "landmark_px": ("landmark\npx ↓", 2, min),
    "identity_edgeface": ("iden-\ntity ↑", 3, max),
    "niqe": ("NIQE\n↓", 2, min),
    "brisque": ("BRISQUE\n↓", 1, min),
    "fd_squeezenet": ("FD\n↓", 0, min),
}
"""Metric -> its heading, decimals, and which is the best."""

LLF_METRICS = ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px")


def score_table(rows: Sequence[Mapping[str, Any]], title: str, metrics: Sequence[str] = LLF_METRICS) -> Table:
    """One row per method, from `rows.Row.as_dict`; the best of each column except the oracle is bold.

    Args:
        metrics: the columns; the first one with its interval.
    """
    caption = SCORES_CAPTION + (_FACES if "landmark_px" in metrics else "")
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title_justify = table.caption_justify = "left"
    table.add_column("method", overflow="fold", min_width=20)
    for heading in (*(SCORE_COLUMNS[metric][0] for metric in metrics), "ms per\nface", "params"):
        table.add_column(heading, justify="right", no_wrap=True)
    candidates = [row for row in rows if row["method"] != "oracle"]
    best = {
        metric: SCORE_COLUMNS[metric][2](
            (row[metric] for row in candidates if row[metric] is not None), default=None
        )
        for metric in metrics
    }

    def cell(row: Mapping[str, Any], metric: str) -> str:
        extra = ""
        if metric == metrics[0]:
            low, high = row[f"{metric}_ci"] or (0.0, 0.0)
            extra = f" ±{(high - low) / 2:.2f}"
        elif metric == "landmark_px":
            missing = row["no_face_in_target"] + row["no_face_in_output"]
            extra = f" ({missing})" if missing else ""
        if row[metric] is None:
            return "–" + extra
        number = f"{row[metric]:.{SCORE_COLUMNS[metric][1]}f}"
        is_best = row in candidates and row[metric] == best[metric]
        return (f"[bold]{number}[/]" if is_best else number) + extra

    for row in rows:
        table.add_row(
            row["method"],
            *(cell(row, metric) for metric in metrics),
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
