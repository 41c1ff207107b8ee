"""Shared by the scripts that write tables into pages: Markdown tables, their cells, and the pages.

A generated table lies between the lines `<!-- name -->` and `<!-- /name -->` of a page; the rest of the page
is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lumiface.core.files import write_bytes

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

SCORES = (  # key, heading, digits, the better direction
    ("psnr_y", "PSNR-Y, dB", 2, max),
    ("ssim_y", "SSIM-Y", 3, max),
    ("lpips_squeeze", "LPIPS", 3, min),
    ("landmark_px", "landmarks, px", 2, min),
    ("identity_edgeface", "identity", 3, max),
)
HEADINGS = [heading for _, heading, _, _ in SCORES]

Rows = Sequence[Mapping[str, Any]]


def table(headings: Iterable[str], lines: Iterable[Sequence[str]], *, text_columns: int = 1) -> str:
    """A Markdown table; the first `text_columns` columns are left-aligned text, the others numbers."""
    heads = list(headings)
    rule = ["---"] * text_columns + ["---:"] * (len(heads) - text_columns)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *map(list, lines)])


def cell(row: Mapping[str, Any], key: str, digits: int, *, interval: bool = True) -> str:
    """A score with its 95 % interval."""
    low, high = row[f"{key}_ci"]
    return f"{row[key]:.{digits}f}" + (f" ({low:.{digits}f}–{high:.{digits}f})" if interval else "")


def has_section(text: str, name: str) -> bool:
    """Whether a page has a generated section of this name."""
    return f"<!-- {name} -->" in text


def replace_section(text: str, name: str, content: str) -> str:
    """The page with the generated section `name` replaced by `content`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    return f"{before}{begin}\n{content}\n{end}{after}"


def update_pages(pages: Callable[[], Mapping[Path, str]]) -> None:
    """Write the pages that are out of date and print their names; with `--check` only print, exit with 1."""
    check = "--check" in sys.argv[1:]
    stale = {path: text for path, text in pages().items() if path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        print(path.relative_to(ROOT))
        if not check:
            write_bytes(path, text.encode())
    sys.exit(1 if stale and check else 0)
