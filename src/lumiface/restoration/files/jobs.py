"""Planning of a batch: the input files, and the output file of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lumiface.core.errors import OutputError, SettingError
from lumiface.core.files import matching_paths, missing_line
from lumiface.imaging.io import PICTURE_SUFFIXES
from lumiface.restoration.files.picture_files import result_suffix, sort_file, written_name

SUFFIX = "_lumiface"


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to restore: read `source`, write `target`; `wished`: the user named the target."""

    source: Path
    target: Path
    wished: bool = False


@dataclass(slots=True)
class Jobs:
    """The plan of a batch.

    Attributes:
        todo: the pictures to restore.
        previous_results: results of earlier runs among the inputs, which are skipped.
        failures: one line per input that cannot be restored.
        left: kinds of pictures in the input folders that are not read -> their files.
    """

    todo: list[Job] = field(default_factory=list[Job])
    previous_results: list[Path] = field(default_factory=list[Path])
    failures: list[str] = field(default_factory=list[str])
    left: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])


def plan_jobs(inputs: Sequence[str], output: Path | None = None, suffix: str = SUFFIX) -> Jobs:
    """Expand files, folders (recursively) and globs, and assign an output file to each input.

    Without `output` the result is written next to its input: party.jpg -> party_lumiface.jpg. With a folder
    as `output` file names are kept, and so is the tree of an input folder; if there are several input
    folders, their names are kept, too. With a single input file, `output` may also be a file name. A name
    that lumiface does not write (.jfif, none, camera RAW) becomes the one of its content: `result_suffix`.

    Results of lumiface are never inputs: files whose name ends in `suffix`, and files in the output folder.
    In folders, what is hidden and what is no picture, by name or content, is skipped; pictures of kinds that
    are not read are listed in `left`.

    Raises:
        SettingError: the suffix would overwrite the inputs, `output` names a file for several inputs, or a
            file of a format that cannot be written.
        OutputError: the output folder cannot be created.
    """
    if output is None and not suffix:
        raise SettingError("an empty suffix would overwrite the inputs; give a suffix or an output folder")
    if suffix and (os.sep in suffix or "/" in suffix):
        raise SettingError(f"suffix {suffix!r} contains a slash; use --output for the output folder")
    jobs = Jobs()
    found = [entry for pattern in inputs for entry in _expand(pattern, jobs)]
    roots = {root for _, root in found if root is not None}
    as_file = output is not None and not output.is_dir() and written_name(output)
    if as_file and (roots or len(found) > 1):
        raise SettingError(f"{output} is one file, but there are several inputs; name an output folder")
    if output is not None and not as_file:
        _make_folder(output)
    visited: set[Path] = set()
    sources: dict[Path, Path] = {}  # target -> source
    for source, root in found:
        real = source.resolve()
        if real in visited:
            continue
        visited.add(real)
        if _is_previous_result(source, root, output, suffix):
            jobs.previous_results.append(source)
            continue
        target = output if as_file and output else _target(source, root, output, suffix, len(roots) > 1)
        if target.resolve() == real:
            raise SettingError(f"{target} would overwrite its own input; choose another output folder")
        if target in sources:
            jobs.failures.append(
                f"{source}: {target} is the result of {sources[target]}; restore it separately"
            )
            continue
        sources[target] = source
        jobs.todo.append(Job(source, target, as_file))
    return jobs


def _is_previous_result(source: Path, root: Path | None, output: Path | None, suffix: str) -> bool:
    """Whether a file is an earlier result: by its name, or in an output folder inside the input folder."""
    if suffix and source.stem.endswith(suffix):
        return True
    if root is None or output is None:
        return False
    results = output.resolve()
    return root.resolve() in results.parents and results in source.resolve().parents


def _expand(pattern: str, jobs: Jobs) -> Iterator[tuple[Path, Path | None]]:
    """The files of one input, each with the input folder that contains it (None: the input is the file)."""
    matches = matching_paths(pattern)
    if not matches:
        jobs.failures.append(missing_line(pattern))
    for match in matches:
        if not match.is_dir():
            yield match, None
            continue
        inside, before = 0, sum(map(len, jobs.left.values()))
        for file in _files(match, jobs):
            outcome = sort_file(file)
            if outcome.left:
                jobs.left.setdefault(outcome.left, []).append(file)
            elif outcome.picture:
                inside += 1
                yield file, match
        if not inside and sum(map(len, jobs.left.values())) == before:
            jobs.failures.append(
                f"{match}: no picture in this folder; supported are {' '.join(PICTURE_SUFFIXES)}"
            )


def _files(folder: Path, jobs: Jobs) -> list[Path]:
    """All files below a folder, sorted, but what is hidden; folders that cannot be entered are failures.

    Links to folders are entered. Their files come last: what also lies in the folder itself is met there.
    """
    links: set[Path] = set()

    def refused(fault: OSError) -> None:
        jobs.failures.append(
            f"{fault.filename} cannot be entered ({fault.strerror or fault}); check its permissions"
        )

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=refused, followlinks=True):
        here = Path(place)
        entered = [here / name for name in folders if not name.startswith(".")]
        entered = [path for path in entered if not (path.is_symlink() and _leads_back(path, folder))]
        folders[:] = [path.name for path in entered]
        links.update(path for path in entered if path.is_symlink())
        found += [here / name for name in names if not name.startswith(".")]
    return sorted(found, key=lambda file: (not links.isdisjoint(file.parents), file))


def _leads_back(link: Path, root: Path) -> bool:
    """Whether a link below `root` leads to a folder it lies in, which would be entered without end."""
    real = link.resolve()
    above = [parent.resolve() for parent in link.parents if parent == root or root in parent.parents]
    return any(real == place or real in place.parents for place in above)


def _target(source: Path, root: Path | None, output: Path | None, suffix: str, several: bool) -> Path:
    stem, ending = result_suffix(source)
    if output is None:
        return source.with_name(f"{stem}{suffix}{ending}")
    if root is None:
        return output / f"{stem}{ending}"
    inside = source.relative_to(root).with_name(f"{stem}{ending}")
    return output / root.resolve().name / inside if several else output / inside


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise OutputError(
            f"folder {folder} cannot be created ({fault.strerror or fault}); choose another output folder"
        ) from fault
