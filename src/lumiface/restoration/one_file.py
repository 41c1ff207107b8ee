"""One input of a batch: read, restored, written, and what became of it."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from lumiface.core.errors import LumifaceError
from lumiface.imaging.frames import read_pictures
from lumiface.imaging.io import MAX_MEGAPIXELS, Picture
from lumiface.restoration.files.jobs import Job
from lumiface.restoration.files.picture_files import may_be_written_as_png, name_with_alpha
from lumiface.restoration.files.result_file import ResultFile
from lumiface.restoration.report.entry import PhotographEntry, photograph_entry
from lumiface.restoration.sheet import existing_row, failed_row, restored_row
from lumiface.restoration.trust.summary import TrustSummary

if TYPE_CHECKING:
    from lumiface.restoration.restored import Restored

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


class PictureRestorer(Protocol):
    """The interface of `restorer.Restorer` that a batch needs."""

    def __call__(
        self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[Picture]: ...


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How the files of a batch are read and written.

    Attributes:
        planned: the targets of all jobs.
        overwrite: replace existing results; else one that is not older than its input is kept.
        quality: 1..100, of JPEG and WebP.
        boxes: manually specified faces.
        max_megapixels: larger inputs are refused before they are decoded.
        shown: a row of the contact sheet is made.
        reported: entries of the trust report are made.
    """

    planned: frozenset[Path] = frozenset()
    overwrite: bool = False
    quality: int = 95
    boxes: tuple[Box, ...] = ()
    max_megapixels: float = MAX_MEGAPIXELS
    shown: bool = False
    reported: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of one input; small, so that a process can send it to another.

    Attributes:
        written: the result; None if there is none.
        skipped: why nothing was done; empty if something was.
        failed: one line per failure, each naming its file.
        faults: unexpected errors, i.e. bugs in lumiface; each also has its line in `failed`.
        faces: treatment of a face ("restored", "relit") -> number of faces.
        notes: of the restorer.
        remarks: what of the file is not kept or could not be used.
        trust: of the faces.
        row: of the contact sheet, (1, 3, H, W); one below the other for the pages of a file.
        entries: of the trust report, one for each page of a file.
    """

    source: Path
    written: Path | None = None
    skipped: str = ""
    failed: list[str] = field(default_factory=list[str])
    faults: list[Exception] = field(default_factory=list[Exception])
    faces: Counter[str] = field(default_factory=Counter[str])
    notes: set[str] = field(default_factory=set[str])
    remarks: list[str] = field(default_factory=list[str])
    trust: TrustSummary = field(default_factory=TrustSummary)
    row: Tensor | None = None
    entries: list[PhotographEntry] = field(default_factory=list[PhotographEntry])

    def for_another_process(self) -> Outcome:
        """The same with its faults as texts: a traceback is lost on the way, and not every exception can be
        sent."""
        texts = ["".join(traceback.format_exception(fault)) for fault in self.faults]
        return replace(self, faults=[RuntimeError(text) for text in texts])

    def draw(self, row: Callable[[], Tensor]) -> None:
        """Make a row, below those there are; what goes wrong there must not lose the result."""
        try:
            made = row()
            self.row = made if self.row is None else torch.cat([self.row, made], 2)
        except LumifaceError as error:
            self.failed.append(f"contact sheet: {error}")
        except Exception as error:
            self.faults.append(error)
            self.failed.append(f"contact sheet: unexpected {type(error).__name__}: a bug in lumiface")


def restore_file(job: Job, restorer: PictureRestorer, options: FileOptions) -> Outcome:
    """Restore one file. Nothing that is wrong with it is raised: one picture must not stop ten thousand."""
    outcome = Outcome(job.source)
    result = None if options.overwrite else _existing(job, options.planned)
    if result is not None:
        outcome.skipped = "already there"
        if options.shown:
            outcome.draw(lambda: existing_row(job.source, result, options.max_megapixels))
        return outcome
    try:
        _restore(job, restorer, options, outcome)
    except LumifaceError as error:
        outcome.failed.append(_line(job, str(error)))
    except Exception as error:
        if _is_out_of_memory(error):
            outcome.failed.append(_line(job, "not enough memory; restore it at a smaller scale"))
        else:
            outcome.faults.append(error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            outcome.failed.append(_line(job, f"unexpected {reason}; this is a bug in lumiface"))
    else:
        return outcome
    outcome.row, outcome.entries, outcome.trust = None, [], TrustSummary()
    if options.shown:
        reason = outcome.failed[-1].removeprefix(f"{job.source}: ")
        outcome.draw(lambda: failed_row(job.source.name, reason))
    return outcome


def _restore(job: Job, restorer: PictureRestorer, options: FileOptions, outcome: Outcome) -> None:
    file = read_pictures(job.source, max_megapixels=options.max_megapixels)
    result = ResultFile(job, options.planned, file, options.quality)
    first: int | None = None
    number = 0
    for picture in file.pictures:
        number += 1  # noqa: SIM113 `enumerate` would hold the picture
        picture = replace(picture, spare=not options.shown)
        # The frames of an animation are of one size, whatever the faces in each ask for.
        restored = restorer(picture, options.boxes, first if file.kind == "frames" else None)
        outcome.trust.add(restored.faces, job.source)
        if first is None or file.kind == "pages":
            name = job.source.name if first is None else f"{job.source.name}, page {number}"
            if options.shown:
                outcome.draw(partial(restored_row, name, picture, restored))
            if options.reported:
                outcome.entries.append(photograph_entry(name, restored))
        first = first or restored.scale
        # A large one is held once while it is made into samples, and not while they are encoded.
        del picture
        result.add(restored)
        del restored
        if result.is_full:
            break
    result.write()
    outcome.written = result.target
    outcome.faces.update(result.faces)
    outcome.notes.update(result.notes)
    outcome.remarks.extend(result.remarks)


def _existing(job: Job, planned: frozenset[Path]) -> Path | None:
    """The result of an earlier run, if it is not older than the input; a file that the user named, whatever
    it is."""
    if job.wished:
        return job.target if job.target.exists() else None
    try:
        made = job.source.stat().st_mtime
    except OSError:  # reading it reports that
        return None
    possible = [job.target]
    if may_be_written_as_png(job.source, job.target):
        possible.append(name_with_alpha(job.source, job.target, planned))
    for target in possible:
        try:
            if target.stat().st_mtime >= made:
                return target
        except OSError:  # no result yet
            continue
    return None


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU torch raises a plain RuntimeError.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _line(job: Job, reason: str) -> str:
    return reason if str(job.source) in reason else f"{job.source}: {reason}"
