"""The report of a comparison: one page, and the same numbers as Markdown, CSV and JSON."""

from __future__ import annotations

from lumiface.comparison.html.write import write_report

__all__ = ["write_report"]
