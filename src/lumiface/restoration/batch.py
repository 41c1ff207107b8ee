"""Batch restoration: finished photographs are skipped, failures are counted and do not stop the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lumiface.core.errors import LumifaceError, SettingError
from lumiface.imaging.io import MAX_MEGAPIXELS
from lumiface.restoration.files.jobs import SUFFIX, Job, Jobs, plan_jobs
from lumiface.restoration.files.picture_files import left_line
from lumiface.restoration.one_file import Box, FileOptions, Outcome, PictureRestorer, restore_file
from lumiface.restoration.report.report import TrustReport
from lumiface.restoration.sheet import ContactSheet
from lumiface.restoration.trust.summary import TrustSummary
from lumiface.restoration.workers import WorkerPool


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
        trust: of the faces.
        sheets: pages of the contact sheet, and the trust report.
    """

    restored: list[Path] = field(default_factory=list[Path])
    skipped: dict[Path, str] = field(default_factory=dict[Path, str])
    failed: list[str] = field(default_factory=list[str])
    faults: list[Exception] = field(default_factory=list[Exception])
    faces: Counter[str] = field(default_factory=Counter[str])
    notes: Counter[str] = field(default_factory=Counter[str])
    remarks: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])
    left: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])
    trust: TrustSummary = field(default_factory=TrustSummary)
    sheets: list[Path] = field(default_factory=list[Path])

    @classmethod
    def of_jobs(cls, jobs: Jobs) -> Summary:
        """The summary before the first picture is read: failures and skipped inputs of the planning."""
        skipped = dict.fromkeys(jobs.previous_results, "made by lumiface")
        return cls(failed=list(jobs.failures), skipped=skipped, left=dict(jobs.left))

    def add(self, outcome: Outcome) -> None:
        """Take what became of one picture."""
        if outcome.written is not None:
            self.restored.append(outcome.written)
        if outcome.skipped:
            self.skipped[outcome.source] = outcome.skipped
        self.failed += outcome.failed
        self.faults += outcome.faults
        self.faces.update(outcome.faces)
        self.notes.update(outcome.notes)
        self.trust.merge(outcome.trust)
        for remark in outcome.remarks:
            self.remarks.setdefault(remark, []).append(outcome.source)

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
    report: TrustReport | None = None,
    workers: WorkerPool | None = None,
) -> Summary:
    """Restore the planned pictures, one after the other or in several processes.

    An existing result that is not older than its input is kept.

    Args:
        overwrite: replace existing results.
        quality: 1..100, of JPEG and WebP.
        boxes: manually specified faces, for a single picture.
        max_megapixels: larger inputs are refused before they are decoded.
        progress: called with (number of finished pictures, total number, the picture just finished).
        sheet: shows every planned picture before and after, and why one failed. Its pages are written even
            if the batch is interrupted; a page that cannot be written counts as a failure.
        report: of the trust of every face; written as the sheet is.
        workers: processes, here or on a cluster, that restore the pictures in place of `restorer`.

    Raises:
        SettingError: boxes are given with more or fewer than one picture, or the sheet is one of the inputs.
    """
    if boxes and len(jobs.todo) != 1:
        raise SettingError(f"boxes belong to one picture, got {len(jobs.todo)}; name that one")
    summary = Summary.of_jobs(jobs)
    planned = frozenset(job.target for job in jobs.todo)
    shown, reported = sheet is not None, report is not None
    options = FileOptions(planned, overwrite, quality, tuple(boxes), max_megapixels, shown, reported)
    if sheet is not None:
        sheet.refuse_inputs(job.source for job in jobs.todo)
    try:
        for done, outcome in enumerate(_outcomes(jobs.todo, restorer, options, workers), start=1):
            summary.add(outcome)
            if sheet is not None and outcome.row is not None:
                _attempt(summary, "contact sheet", partial(sheet.append, outcome.row))
            if report is not None:
                report.add(outcome.entries)
            if progress is not None:
                progress(done, len(jobs.todo), outcome.source)
    finally:
        if sheet is not None:
            _attempt(summary, "contact sheet", sheet.close)
            summary.sheets.extend(sheet.written)
        if report is not None:
            failed = tuple(summary.failed)
            _attempt(summary, "report", lambda: summary.sheets.append(report.write(summary.skipped, failed)))
    return summary


def _outcomes(
    todo: Sequence[Job], restorer: PictureRestorer, options: FileOptions, workers: WorkerPool | None
) -> Iterable[Outcome]:
    """In the order of the jobs."""
    if workers is not None:
        return workers.outcomes(todo, options)
    return (restore_file(job, restorer, options) for job in todo)


def _attempt(summary: Summary, what: str, work: Callable[[], object]) -> None:
    """Work on a report; what goes wrong there stops nothing."""
    try:
        work()
    except LumifaceError as error:
        summary.failed.append(f"{what}: {error}")
    except Exception as error:  # the results are written; their report must not lose the others
        summary.faults.append(error)
        summary.failed.append(f"{what}: unexpected {type(error).__name__}: a bug in lumiface")


def _named(files: Sequence[Path], most: int = 3) -> str:
    names = ", ".join(str(file) for file in files[:most])
    return names if len(files) <= most else f"{names} and {len(files) - most} more"
