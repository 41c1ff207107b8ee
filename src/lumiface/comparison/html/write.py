"""The report's files, written together."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lumiface.comparison.html.csv_table import to_csv
from lumiface.comparison.html.markdown import to_markdown
from lumiface.comparison.html.page import to_page
from lumiface.comparison.html.views import Face, set_views
from lumiface.core.files import write_bytes


def write_report(
    report: Mapping[str, Any], pictures: Mapping[str, Sequence[Face]], folder: Path
) -> list[Path]:
    """Write report.md, report.csv, report.json and report.html, a self-contained page.

    Args:
        report: plain data. `title`; `budget`, `origin` (provenance) and `conventions`, mappings that are
            listed as they are; `rows`, one per method and set, with `method`, `set`, `stages` (empty for
            references) and the metrics, each of which may be None or absent; `per_image`, set → method →
            lists `names`, `gamma`, `psnr_y`, `ssim_y`, `lpips_squeeze`; `published`, the paper's table as
            `columns` and `rows`, or None; `sets`, how each was built. `psnr_y_behind_best` is positive for a
            method below the best trained one.
        pictures: set → the faces of its figures: `name`, `gamma`, `input` (h, w, 3), `target` (H, W, 3) and
            `outputs`, method → (H, W, 3), all uint8. Sets without faces may be left out.
        folder: created if missing.

    Returns:
        The four files. Each is written completely or not at all, and only after all four are rendered.

    Raises:
        OutputError: nothing can be written there.
    """
    views = set_views(report, pictures)
    files = {
        "report.md": to_markdown(report, views),
        "report.csv": to_csv(views),
        "report.json": json.dumps(_finite(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "report.html": to_page(report, views),
    }
    for name, text in files.items():
        write_bytes(folder / name, text.encode())
    return [folder / name for name in files]


def _finite(value: Any) -> Any:
    """The same data with None instead of infinity and NaN, which JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
