"""Rows of a batch on its contact sheet; what goes wrong there is a failure of the batch and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lumiface.core.errors import LumifaceError
from lumiface.imaging.io import Picture, read_picture
from lumiface.restoration.jobs import Job
from lumiface.restoration.sheet import ContactSheet

if TYPE_CHECKING:
    from lumiface.restoration.restorer import Restored


class SheetRows:
    """Adds the rows of a batch to its contact sheet.

    Args:
        sheet: the sheet.
        failed: takes a line for each failure.
        faults: takes unexpected errors.
    """

    def __init__(self, sheet: ContactSheet, failed: list[str], faults: list[Exception]) -> None:
        self.sheet, self.failed, self.faults = sheet, failed, faults

    def add(self, job: Job, picture: Picture, restored: Restored) -> None:
        """A restored photograph."""
        self._try(lambda: self.sheet.add(job.source.name, picture, restored))

    def add_existing(self, job: Job, max_megapixels: float) -> None:
        """A photograph whose earlier result was kept."""

        def add() -> None:
            before, after = (
                read_picture(path, max_megapixels=max_megapixels) for path in (job.source, job.target)
            )
            self.sheet.add_existing(job.source.name, before, after, "already there; faces with --overwrite")

        self._try(add)

    def add_failure(self, job: Job, line: str) -> None:
        """A file that could not be restored."""
        reason = line.removeprefix(f"{job.source}: ")
        self._try(lambda: self.sheet.add_failure(job.source.name, reason))

    def close(self) -> list[Path]:
        """Write the last page; returns all pages."""
        self._try(self.sheet.close)
        return self.sheet.written

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except LumifaceError as error:
            self.failed.append(f"contact sheet: {error}")
        except Exception as error:  # the results are written; their sheet must not lose the others
            self.faults.append(error)
            self.failed.append(f"contact sheet: unexpected {type(error).__name__}: a bug in lumiface")
