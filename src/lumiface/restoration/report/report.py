"""`--report`: the trust of every face of a batch, as one page or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lumiface.core.errors import SettingError
from lumiface.core.files import write_bytes
from lumiface.restoration.report.entry import PhotographEntry
from lumiface.restoration.report.page import to_page

SUFFIXES = (".html", ".json")


class TrustReport:
    """Collects the photographs of a batch and writes the report at its end.

    Args:
        path: of the report; HTML or JSON by its suffix.

    Raises:
        SettingError: another suffix.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise SettingError(
                f"--report {path}: the name must end in .html (a page) or .json (for programs)"
            )
        self.path = path
        self.entries: list[PhotographEntry] = []

    def add(self, entries: Sequence[PhotographEntry]) -> None:
        """Take the pictures of one file."""
        self.entries += entries

    def write(self, skipped: Mapping[Path, str] | None = None, failed: Sequence[str] = ()) -> Path:
        """Write the report, atomically.

        Args:
            skipped: photographs of which nothing is known -> why.
            failed: a line for each that could not be restored.

        Raises:
            OutputError: it cannot be written.
        """
        left = [f"{path}: {why}" for path, why in (skipped or {}).items()] + list(failed)
        if self.path.suffix.lower() == ".json":
            text = json.dumps(self.as_dict(left), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        else:
            text = to_page(self.entries, left)
        write_bytes(self.path, text.encode())
        return self.path

    def as_dict(self, left: Sequence[str] = ()) -> dict[str, Any]:
        """The report for programs: JSON's types only."""
        photographs = [
            {
                "photograph": entry.name,
                "done": entry.task,
                "notes": list(entry.notes),
                "faces": [_finite(face.figures) for face in entry.faces],
            }
            for entry in self.entries
        ]
        return {"photographs": photographs, "not_restored": list(left)}


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Without infinity and NaN, which JSON does not have."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in figures.items()
    }
