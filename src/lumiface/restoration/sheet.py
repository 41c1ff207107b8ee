"""Contact sheets of a batch: every photograph before and after, its faces beside it, on numbered pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lumiface.core.errors import LumifaceError, SettingError
from lumiface.figures.before_after import FacePair, before_after_row, face_window
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.imaging.quantize import from_uint8
from lumiface.restoration.files.jobs import SUFFIX, Job

if TYPE_CHECKING:
    from lumiface.restoration.restored import Restored

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")
"""The formats of a sheet."""

PAGE_HEIGHT = 4000
"""A page is full when the next row would exceed this, pixels."""

MAX_FACES = 18
"""The largest faces of a photograph that are shown."""

QUALITY = 92
"""Of JPEG sheets."""


class ContactSheet:
    """Collects the rows of a sheet; a page is written as soon as it is full.

    The first page is the file that was named; sheet.jpg is followed by sheet-2.jpg, sheet-3.jpg and so on.

    Args:
        path: of the first page; PNG or JPEG by its suffix.

    Attributes:
        written: the pages written so far.

    Raises:
        SettingError: another suffix.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in SHEET_SUFFIXES:
            raise SettingError(f"--sheet {path}: the name must end in one of {' '.join(SHEET_SUFFIXES)}")
        self.path = path
        self.written: list[Path] = []
        self._rows: list[Tensor] = []
        self._pages = 0

    def page_path(self, number: int) -> Path:
        """The file of a page, counted from 1."""
        stem, end = self._name()
        return self.path if number == 1 else self.path.with_name(f"{stem}-{number}{end}")

    def refuse_inputs(self, sources: Iterable[Path]) -> None:
        """Check that no page can replace an input.

        Raises:
            SettingError: one would.
        """
        stem, end = self._name()
        pages = re.compile(rf"{re.escape(stem)}(-\d+)?{re.escape(end)}")
        folder = self.path.resolve().parent
        for source in sources:
            if source.resolve().parent == folder and pages.fullmatch(source.name):
                raise SettingError(
                    f"--sheet {self.path}: {source} is an input and would be replaced; name a file outside "
                    f"the inputs, or one that ends in {SUFFIX}"
                )

    def add(self, name: str, before: Picture, restored: Restored[Picture]) -> None:
        """A row for a restored photograph.

        Raises:
            OutputError: a full page cannot be written.
        """
        after = restored.picture.rgb
        scale = after.shape[-1] / before.rgb.shape[-1]
        faces = sorted(restored.faces, key=lambda face: -face.before.side)
        pairs = [
            FacePair(
                face_window(before.rgb, face.box),
                face_window(after, face.box, scale),
                f"{face.treatment}, {face.before.side:.0f} px",
            )
            for face in faces[:MAX_FACES]
        ]
        self._append(before_after_row(name, summarise(restored), (before.rgb, after), pairs))

    def add_existing(self, name: str, before: Picture, after: Picture, reason: str) -> None:
        """A row for a photograph whose earlier result was kept; its faces are not known.

        Raises:
            OutputError: a full page cannot be written.
        """
        self._append(before_after_row(name, reason, (before.rgb, after.rgb)))

    def add_failure(self, name: str, reason: str) -> None:
        """A row of text for a file that could not be restored.

        Raises:
            OutputError: a full page cannot be written.
        """
        self._append(before_after_row(name, f"failed: {reason}", None))

    def close(self) -> None:
        """Write the last page; a sheet without rows is not written.

        Raises:
            OutputError: it cannot be written.
        """
        if self._rows:
            self._write()

    def _name(self) -> tuple[str, str]:
        """What stands before and after a page's number; the mark of a result stays at the end."""
        stem, mark = self.path.stem, ""
        if stem.endswith(SUFFIX):
            stem, mark = stem.removesuffix(SUFFIX), SUFFIX
        return stem, mark + self.path.suffix

    def _append(self, row: Tensor) -> None:
        if self._rows and sum(part.shape[-2] for part in self._rows) + row.shape[-2] > PAGE_HEIGHT:
            self._write()
        self._rows.append(row)

    def _write(self) -> None:
        rows, self._rows = self._rows, []  # a page that cannot be written must not be tried again
        self._pages += 1
        page = torch.cat(rows, dim=2)
        target = self.page_path(self._pages)
        write_picture(Picture(from_uint8(page[0].permute(1, 2, 0).numpy())), target, quality=QUALITY)
        self.written.append(target)


def summarise(restored: Restored[Picture]) -> str:
    """What was done to a photograph, in one line: "joint x4 · 3 faces: 2 restored, 1 relit · a note"."""
    done = restored.task or ("unchanged" if restored.faces else "light only")
    parts = [f"{done} x{restored.scale}"]
    if restored.faces:
        count = len(restored.faces)
        treatments = Counter(face.treatment for face in restored.faces).most_common()
        faces = ", ".join(f"{number} {treatment}" for treatment, number in treatments)
        parts.append(f"{count} face{'' if count == 1 else 's'}: {faces}")
        if count > MAX_FACES:
            parts.append(f"the largest {MAX_FACES} are shown")
    return " · ".join([*parts, *restored.notes])


class SheetRows:
    """Adds the rows of a batch to its contact sheet; what goes wrong there stops nothing.

    Args:
        sheet: the sheet.
        failed: takes a line for each failure.
        faults: takes unexpected errors.
    """

    def __init__(self, sheet: ContactSheet, failed: list[str], faults: list[Exception]) -> None:
        self.sheet, self.failed, self.faults = sheet, failed, faults

    def add(self, job: Job, picture: Picture, restored: Restored[Picture]) -> None:
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
