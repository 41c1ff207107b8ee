"""Pictures in buckets, or wherever else fsspec reaches by a URL: listed, fetched, restored, sent back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lumiface.core.errors import SettingError
from lumiface.imaging.io import PICTURE_SUFFIXES
from lumiface.restoration.files.jobs import SUFFIX, Job, Jobs
from lumiface.restoration.files.picture_files import written_name
from lumiface.restoration.one_file import FileOptions, Outcome, PictureRestorer, restore_file

if TYPE_CHECKING:
    _Names = Path
else:
    _Names = PurePosixPath  # a path of names alone: nothing of it is on this machine


class Url(_Names):
    """A URL with the names of a path: `Url("s3://bucket/a.jpg").name` is "a.jpg"."""

    def __str__(self) -> str:
        text = super().__str__()
        return text.replace(":/", ":///" if text.startswith("file:") else "://", 1)


def plan_urls(inputs: Sequence[str], output: str) -> Jobs:
    """The pictures below folders of URLs, and where each result goes: the tree is kept.

    What is a picture is decided by the name, since nothing is read yet; a name that is not written (.jfif,
    camera RAW) becomes .png. Results of earlier runs are not inputs.

    Raises:
        SettingError: fsspec or what it needs for such a URL is missing, or a place cannot be listed.
    """
    jobs, target = Jobs(), Url(output)
    seen: dict[Url, Url] = {}
    for text in inputs:
        system, root = _open(text)
        try:
            found = sorted(system.find(root)) if system.isdir(root) else [root]
        except Exception as error:  # every system has its own
            reason = f"{text} cannot be listed ({_reason(error)}); check it and your rights"
            raise SettingError(reason) from error
        scheme = text.split("://", 1)[0]
        pictures = [name for name in found if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES]
        if not pictures:
            jobs.failures.append(f"{text}: no picture there; supported are {' '.join(PICTURE_SUFFIXES)}")
        for name in pictures:
            source = Url(f"{scheme}://{name}" if scheme == "file" else f"{scheme}://{name.lstrip('/')}")
            inside_results = target in source.parents and Url(text) in target.parents
            if source.stem.endswith(SUFFIX) or inside_results:
                jobs.previous_results.append(source)
                continue
            inside = PurePosixPath(name).relative_to(root) if name != root else PurePosixPath(source.name)
            result = target / inside
            if not _is_written(result):
                result = result.with_suffix(".png")
            if result == source:
                raise SettingError(f"{result} would overwrite its own input; choose another output")
            if result in seen:
                jobs.failures.append(
                    f"{source}: {result} is the result of {seen[result]}; restore it separately"
                )
                continue
            seen[result] = source
            jobs.todo.append(Job(source, result, wished=True))
    return jobs


def restore_url(job: Job, restorer: PictureRestorer, options: FileOptions) -> Outcome:
    """Restore one picture of a bucket; like `restore_file`, it raises nothing that is wrong with it.

    The result is sent as a whole, so that a reader never sees a part of it.
    """
    outcome = Outcome(job.source)
    try:
        system, target = _open(str(job.target))
        if not options.overwrite and system.exists(target):
            outcome.skipped = "already there"
            return outcome
        with TemporaryDirectory(prefix="lumiface-") as folder:
            given, made = Path(folder) / "in", Path(folder) / "out"
            given.mkdir()
            made.mkdir()
            here = Job(given / job.source.name, made / job.target.name, job.wished)
            origin, name = _open(str(job.source))
            origin.get_file(name, str(here.source))
            outcome = restore_file(here, restorer, replace(options, overwrite=True))
            outcome.failed = [_named(line, here, job) for line in outcome.failed]
            outcome.remarks = [_named(line, here, job) for line in outcome.remarks]
            if outcome.written is not None:
                written = job.target.with_name(outcome.written.name)
                _send(outcome.written, str(written))
                outcome.written = written
    except Exception as error:  # every system has its own
        outcome.written = None
        outcome.failed.append(f"{job.source}: {_reason(error)}; check it and your rights")
    outcome.source = job.source
    return outcome


def _is_written(name: Path) -> bool:
    try:
        return written_name(name)
    except SettingError:  # a format that is read, but not written
        return False


def _send(file: Path, url: str) -> None:
    system, target = _open(url)
    system.makedirs(target.rpartition("/")[0], exist_ok=True)
    with system.transaction, system.open(target, "wb") as result:
        result.write(file.read_bytes())


def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        SettingError: fsspec, or the package that it needs for this scheme, is not installed.
    """
    if find_spec("fsspec") is None:
        raise SettingError(f"{url} needs fsspec: pip install 'lumiface[cluster]'")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SettingError(f"{url} cannot be opened ({_reason(error)})") from error
    return system, str(path).rstrip("/")


def _named(line: str, here: Job, there: Job) -> str:
    """A line about the files in the temporary folder, about those of the user."""
    return line.replace(str(here.source), str(there.source)).replace(str(here.target), str(there.target))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
