"""Many photographs: restore each, skip what is done, go on after a failure, and count everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

from lumiface.core.errors import LumifaceError, SettingError
from lumiface.imaging.io import MAX_MEGAPIXELS, Picture, read_picture, write_picture
from lumiface.restore.jobs import SUFFIX, Job, Jobs, plan
from lumiface.restore.prior_view import save_prior

if TYPE_CHECKING:
    from lumiface.restore.restorer import Restored

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


class RestoresPictures(Protocol):
    """What `photo.Restorer` is to this module."""

    def __call__(self, picture: Picture, boxes: Sequence[Box] = ()) -> Restored: ...


@dataclass(slots=True)
class Summary:
    """What became of every input.

    Attributes:
        restored: files written.
        skipped: inputs passed over -> why.
        failed: one line a failure, each naming its file.
        faults: unexpected errors, which are mistakes of ours; each also has its line in `failed`.
        faces: what was done to a face ("restored", "lit") -> how many.
        notes: what the restorer said of pictures -> of how many.
    """

    restored: list[Path] = field(default_factory=list[Path])
    skipped: dict[Path, str] = field(default_factory=dict[Path, str])
    failed: list[str] = field(default_factory=list[str])
    faults: list[Exception] = field(default_factory=list[Exception])
    faces: Counter[str] = field(default_factory=Counter[str])
    notes: Counter[str] = field(default_factory=Counter[str])

    @classmethod
    def before(cls, jobs: Jobs) -> Summary:
        """What is known before the first picture is read."""
        return cls(failed=list(jobs.failures), skipped=dict.fromkeys(jobs.own, "made by lumiface"))

    @property
    def exit_code(self) -> int:
        """0 only if all went well, 1 if some inputs failed."""
        return 1 if self.failed else 0


def restore_files(
    inputs: Sequence[str],
    output: Path | None,
    restorer: RestoresPictures,
    *,
    overwrite: bool = False,
    suffix: str = SUFFIX,
    quality: int = 95,
    boxes: Sequence[Box] = (),
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Callable[[int, int, Path], None] | None = None,
) -> Summary:
    """Restore files, folders and globs; see `jobs.plan` for names and `run_jobs` for the rest.

    Raises:
        SettingError: settings contradict each other.
        OutputError: the output folder cannot be made. (A single file that cannot be written is a failure.)
    """
    return run_jobs(
        plan(inputs, output, suffix),
        restorer,
        overwrite=overwrite,
        quality=quality,
        boxes=boxes,
        max_megapixels=max_megapixels,
        progress=progress,
    )


def run_jobs(
    jobs: Jobs,
    restorer: RestoresPictures,
    *,
    overwrite: bool = False,
    quality: int = 95,
    boxes: Sequence[Box] = (),
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Callable[[int, int, Path], None] | None = None,
) -> Summary:
    """Restore what was planned, one picture after the other.

    A result that is there already, and not older than its input, is not made again.

    Args:
        overwrite: make every result again.
        quality: 1..100, of JPEG and WebP.
        boxes: faces pointed out by hand, for a single picture.
        max_megapixels: larger inputs are refused before they are unpacked.
        progress: called with (pictures done, pictures in all, the picture just done).

    Raises:
        SettingError: boxes are given, but not exactly one picture.
    """
    if boxes and len(jobs.todo) != 1:
        raise SettingError(f"boxes belong to one picture, and {len(jobs.todo)} are given; name the one")
    summary = Summary.before(jobs)
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
    restorer: RestoresPictures,
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
    except Exception as error:  # one strange picture among ten thousand must not stop the others
        if _is_out_of_memory(error):
            summary.failed.append(_line(job, "not enough memory; restore it at a smaller scale"))
        else:
            summary.faults.append(error)
            what = " ".join(f"{type(error).__name__}: {error}".split())
            summary.failed.append(_line(job, f"unexpected {what}; this is a mistake in lumiface"))
    else:
        summary.restored.append(job.target)
        summary.faces.update(face.treatment for face in restored.faces)
        summary.notes.update(restored.notes)


def _is_done(job: Job) -> bool:
    try:
        return job.target.stat().st_mtime >= job.source.stat().st_mtime
    except OSError:  # no result yet, or an input that has gone: reading it will say so
        return False


def _is_out_of_memory(error: Exception) -> bool:
    # On the CPU torch has no class of its own for this.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _line(job: Job, reason: str) -> str:
    return reason if str(job.source) in reason else f"{job.source}: {reason}"
