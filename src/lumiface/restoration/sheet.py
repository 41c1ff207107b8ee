"""Contact sheets of a batch: every photograph before and after, its faces beside it, on numbered pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.figures.before_after import FacePair, before_after_row, face_window
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.imaging.quantize import from_uint8
from lumiface.restoration.files.jobs import SUFFIX

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

    def append(self, row: Tensor) -> None:
        """Add a row, as `restored_row`, `existing_row` and `failed_row` make them.

        Raises:
            OutputError: a full page cannot be written.
        """
        if self._rows and sum(part.shape[-2] for part in self._rows) + row.shape[-2] > PAGE_HEIGHT:
            self._write()
        self._rows.append(row)

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

    def _write(self) -> None:
        rows, self._rows = self._rows, []  # a page that cannot be written must not be tried again
        self._pages += 1
        page = torch.cat(rows, dim=2)
        target = self.page_path(self._pages)
        write_picture(Picture(from_uint8(page[0].permute(1, 2, 0).numpy())), target, quality=QUALITY)
        self.written.append(target)


def restored_row(name: str, before: Picture, restored: Restored[Picture]) -> Tensor:
    """(1, 3, H, W), of a restored photograph."""
    shown, after = _on_paper(before), _on_paper(restored.picture)
    scale = after.shape[-1] / shown.shape[-1]
    faces = sorted(restored.faces, key=lambda face: -face.before.side)
    pairs = [
        FacePair(
            face_window(shown, face.box),
            face_window(after, face.box, scale),
            f"{face.treatment}, {face.before.side:.0f} px",
        )
        for face in faces[:MAX_FACES]
    ]
    return before_after_row(name, summarise(restored), (shown, after), pairs)


def existing_row(source: Path, result: Path, max_megapixels: float) -> Tensor:
    """(1, 3, H, W), of a photograph whose earlier result was kept; its faces are not known.

    Raises:
        InputError: one of them cannot be read.
    """
    before, after = (
        _on_paper(read_picture(path, max_megapixels=max_megapixels)) for path in (source, result)
    )
    return before_after_row(source.name, "already there; faces with --overwrite", (before, after))


def failed_row(name: str, reason: str) -> Tensor:
    """(1, 3, H, W), a row of text for a file that could not be restored."""
    return before_after_row(name, f"failed: {reason}", None)


def _on_paper(picture: Picture) -> Tensor:
    """The picture as it looks on the white sheet, (1, 3, H, W): what is transparent is white."""
    return picture.rgb if picture.alpha is None else 1.0 + picture.alpha * (picture.rgb - 1.0)


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
