"""Batch restoration: finished photographs are skipped, failures are counted and do not stop the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

from lumiface.core.errors import LumifaceError, SettingError
from lumiface.imaging.frames import read_pictures
from lumiface.imaging.io import MAX_MEGAPIXELS, Picture
from lumiface.restoration.files.jobs import SUFFIX, Job, Jobs, plan_jobs
from lumiface.restoration.files.picture_files import left_line, may_be_written_as_png, name_with_alpha
from lumiface.restoration.files.result_file import ResultFile
from lumiface.restoration.sheet import ContactSheet, SheetRows

if TYPE_CHECKING:
    from lumiface.restoration.restored import Restored

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


class PictureRestorer(Protocol):
    """The interface of `restorer.Restorer` that this module needs."""

    def __call__(
        self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[Picture]: ...


@dataclass(slots=True)
class Summary:
    """The outcome of all inputs.

    Attributes:
        restored: files written.
        skipped: skipped input -> reason.
        failed: one line per failure, each naming its file.
        faults: unexpected errors, i.e. bugs in lumiface; each also has its line in `failed`.
        faces: treatment of a face ("restored", "relit") -> number of faces.
        notes: note of the restorer -> number of pictures it applies to.
        remarks: what of a file is not kept or could not be used -> the files.
        left: kind of pictures that are not read -> the files of it in the input folders.
        sheets: pages of the contact sheet.
    """

    restored: list[Path] = field(default_factory=list[Path])
    skipped: dict[Path, str] = field(default_factory=dict[Path, str])
    failed: list[str] = field(default_factory=list[str])
    faults: list[Exception] = field(default_factory=list[Exception])
    faces: Counter[str] = field(default_factory=Counter[str])
    notes: Counter[str] = field(default_factory=Counter[str])
    remarks: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])
    left: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])
    sheets: list[Path] = field(default_factory=list[Path])

    @classmethod
    def of_jobs(cls, jobs: Jobs) -> Summary:
        """The summary before the first picture is read: failures and skipped inputs of the planning."""
        skipped = dict.fromkeys(jobs.previous_results, "made by lumiface")
        return cls(failed=list(jobs.failures), skipped=skipped, left=dict(jobs.left))

    @property
    def exit_code(self) -> int:
        """0 only if all went well, 1 if some inputs failed or are of kinds that are not read."""
        return 1 if self.failed or self.left else 0

    @property
    def remark_lines(self) -> list[str]:
        """One line per kind of remark, with the files it applies to, and per kind of pictures left."""
        remarks = [f"{_named(files)}: {remark}" for remark, files in self.remarks.items()]
        return remarks + [left_line(kind, files) for kind, files in self.left.items()]


def restore_files(
    inputs: Sequence[str],
    output: Path | None,
    restorer: PictureRestorer,
    *,
    overwrite: bool = False,
    suffix: str = SUFFIX,
    quality: int = 95,
    boxes: Sequence[Box] = (),
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Callable[[int, int, Path], None] | None = None,
) -> Summary:
    """Restore files, folders and globs; see `jobs.plan_jobs` for output names and `run_jobs` for the rest.

    Raises:
        SettingError: settings contradict each other.
        OutputError: the output folder cannot be created. (A single file that cannot be written counts as a
            failure of that input.)
    """
    return run_jobs(
        plan_jobs(inputs, output, suffix),
        restorer,
        overwrite=overwrite,
        quality=quality,
        boxes=boxes,
        max_megapixels=max_megapixels,
        progress=progress,
    )


def run_jobs(
    jobs: Jobs,
    restorer: PictureRestorer,
    *,
    overwrite: bool = False,
    quality: int = 95,
    boxes: Sequence[Box] = (),
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Callable[[int, int, Path], None] | None = None,
    sheet: ContactSheet | None = None,
) -> Summary:
    """Restore the planned pictures one after the other.

    An existing result that is not older than its input is kept.

    Args:
        overwrite: replace existing results.
        quality: 1..100, of JPEG and WebP.
        boxes: manually specified faces, for a single picture.
        max_megapixels: larger inputs are refused before they are decoded.
        progress: called with (number of finished pictures, total number, the picture just finished).
        sheet: shows every planned picture before and after, and why one failed. Its pages are written even
            if the batch is interrupted; a page that cannot be written counts as a failure.

    Raises:
        SettingError: boxes are given with more or fewer than one picture, or the sheet is one of the inputs.
    """
    if boxes and len(jobs.todo) != 1:
        raise SettingError(f"boxes belong to one picture, got {len(jobs.todo)}; name that one")
    summary = Summary.of_jobs(jobs)
    planned = {job.target for job in jobs.todo}
    rows = SheetRows(sheet, summary.failed, summary.faults) if sheet is not None else None
    if sheet is not None:
        sheet.refuse_inputs(job.source for job in jobs.todo)
    try:
        for done, job in enumerate(jobs.todo, start=1):
            if not overwrite and _is_done(job, planned):
                summary.skipped[job.source] = "already there"
                if rows is not None:
                    rows.add_existing(job, max_megapixels)
            else:
                _restore(job, planned, restorer, summary, quality, boxes, max_megapixels, rows)
            if progress is not None:
                progress(done, len(jobs.todo), job.source)
    finally:
        if rows is not None:
            summary.sheets.extend(rows.close())
    return summary


def _restore(
    job: Job,
    planned: Set[Path],
    restorer: PictureRestorer,
    summary: Summary,
    quality: int,
    boxes: Sequence[Box],
    max_megapixels: float,
    rows: SheetRows | None,
) -> None:
    try:
        file = read_pictures(job.source, max_megapixels=max_megapixels)
        result = ResultFile(job, planned, file, quality)
        first: tuple[Picture, Restored[Picture]] | None = None  # what the sheet shows of a file
        for picture in file.pictures:
            # The frames of an animation are of one size, whatever the faces in each ask for.
            scale = first[1].scale if first is not None and file.kind == "frames" else None
            restored = restorer(picture, boxes, scale)
            first = first or (picture, restored)
            result.add(restored)
            if result.is_full:
                break
        result.write()
    except LumifaceError as error:
        summary.failed.append(_line(job, str(error)))
    except Exception as error:  # one unusual picture among ten thousand must not stop the others
        if _is_out_of_memory(error):
            summary.failed.append(_line(job, "not enough memory; restore it at a smaller scale"))
        else:
            summary.faults.append(error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            summary.failed.append(_line(job, f"unexpected {reason}; this is a bug in lumiface"))
    else:
        summary.restored.append(result.target)
        summary.faces.update(result.faces)
        summary.notes.update(result.notes)
        for remark in result.remarks:
            summary.remarks.setdefault(remark, []).append(job.source)
        if rows is not None and first is not None:
            rows.add(job, *first)
        return
    if rows is not None:
        rows.add_failure(job, summary.failed[-1])


def _is_done(job: Job, planned: Set[Path]) -> bool:
    try:
        made = job.source.stat().st_mtime
    except OSError:  # reading it reports that
        return False
    possible = [job.target]
    # A file of that name beside a target that the user named may be anything.
    if not job.wished and may_be_written_as_png(job.source, job.target):
        possible.append(name_with_alpha(job.source, job.target, planned))
    for target in possible:
        try:
            if target.stat().st_mtime >= made:
                return True
        except OSError:  # no result yet
            continue
    return False


def _named(files: Sequence[Path], most: int = 3) -> str:
    names = ", ".join(str(file) for file in files[:most])
    return names if len(files) <= most else f"{names} and {len(files) - most} more"


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU torch raises a plain RuntimeError.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _line(job: Job, reason: str) -> str:
    return reason if str(job.source) in reason else f"{job.source}: {reason}"
