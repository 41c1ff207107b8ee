"""The report of a comparison: an HTML page, and the same scores as Markdown, CSV and JSON."""

from __future__ import annotations

from lumiface.comparison.html.write import write_report

__all__ = ["write_report"]
