"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def amount(number: float) -> str:
    """1_234_567 -> "1.23 M"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g}"
