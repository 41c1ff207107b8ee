"""Batch restoration: finished photographs are skipped, failures are counted and do not stop the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

from lumiface.core.errors import LumifaceError, SettingError
from lumiface.imaging.io import MAX_MEGAPIXELS, Picture, read_picture, write_picture
from lumiface.restoration.jobs import SUFFIX, Job, Jobs, plan_jobs
from lumiface.restoration.prior_view import save_prior

if TYPE_CHECKING:
    from lumiface.restoration.restorer import Restored

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


class PictureRestorer(Protocol):
    """The interface of `restorer.Restorer` that this module needs."""

    def __call__(self, picture: Picture, boxes: Sequence[Box] = ()) -> Restored: ...


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
    """

    restored: list[Path] = field(default_factory=list[Path])
    skipped: dict[Path, str] = field(default_factory=dict[Path, str])
    failed: list[str] = field(default_factory=list[str])
    faults: list[Exception] = field(default_factory=list[Exception])
    faces: Counter[str] = field(default_factory=Counter[str])
    notes: Counter[str] = field(default_factory=Counter[str])

    @classmethod
    def of_jobs(cls, jobs: Jobs) -> Summary:
        """The summary before the first picture is read: failures and skipped inputs of the planning."""
        skipped = dict.fromkeys(jobs.previous_results, "made by lumiface")
        return cls(failed=list(jobs.failures), skipped=skipped)

    @property
    def exit_code(self) -> int:
        """0 only if all went well, 1 if some inputs failed."""
        return 1 if self.failed else 0


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
) -> Summary:
    """Restore the planned pictures one after the other.

    An existing result that is not older than its input is kept.

    Args:
        overwrite: replace existing results.
        quality: 1..100, of JPEG and WebP.
        boxes: manually specified faces, for a single picture.
        max_megapixels: larger inputs are refused before they are decoded.
        progress: called with (number of finished pictures, total number, the picture just finished).

    Raises:
        SettingError: boxes are given with more or fewer than one picture.
    """
    if boxes and len(jobs.todo) != 1:
        raise SettingError(f"boxes belong to one picture, got {len(jobs.todo)}; name that one")
    summary = Summary.of_jobs(jobs)
    for done, job in enumerate(jobs.todo, start=1):
        if not overwrite and _is_done(job):
            summary.skipped[job.source] = "already there"
        else:
            _restore(job, restorer, summary, quality, boxes, max_megapixels)
        if progress is not None:
            progress(done, len(jobs.todo), job.source)
    return summary


def _restore(
    job: Job,
    restorer: PictureRestorer,
    summary: Summary,
    quality: int,
    boxes: Sequence[Box],
    max_megapixels: float,
) -> None:
    try:
        restored = restorer(read_picture(job.source, max_megapixels=max_megapixels), boxes)
        write_picture(restored.picture, job.target, quality=quality)
        if restored.priors:
            save_prior(restored.priors, job.target)
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
        summary.restored.append(job.target)
        summary.faces.update(face.treatment for face in restored.faces)
        summary.notes.update(restored.notes)


def _is_done(job: Job) -> bool:
    try:
        return job.target.stat().st_mtime >= job.source.stat().st_mtime
    except OSError:  # no result yet, or the input no longer exists: reading it reports that
        return False


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU torch raises a plain RuntimeError.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _line(job: Job, reason: str) -> str:
    return reason if str(job.source) in reason else f"{job.source}: {reason}"
