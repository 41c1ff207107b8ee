"""Which files are to be restored, and where their results go."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lumiface.core.errors import OutputError, SettingError
from lumiface.data.sources import is_picture_name
from lumiface.imaging.io import PICTURE_SUFFIXES

SUFFIX = "_lumiface"


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to restore: read `source`, write `target`."""

    source: Path
    target: Path


@dataclass(slots=True)
class Jobs:
    """What there is to do. `own` are earlier results, passed over; `failures` are lines, one an input."""

    todo: list[Job] = field(default_factory=list[Job])
    own: list[Path] = field(default_factory=list[Path])
    failures: list[str] = field(default_factory=list[str])


def plan(inputs: Sequence[str], output: Path | None = None, suffix: str = SUFFIX) -> Jobs:
    """Expand files, folders (with all below them) and globs, and name each result.

    Without `output` a result lies beside its input: party.jpg -> party_lumiface.jpg. With a folder as
    `output` the names stay, and a folder's tree is kept; several input folders keep their own names, too.
    With a single input file, `output` may also be a file's name.

    Our own results are never inputs: files whose name ends in `suffix`, and what lies in the output folder.
    In folders, what is no picture by its name, and what is hidden, is passed over.

    Raises:
        SettingError: the suffix would overwrite the inputs, or `output` names a file for several inputs.
        OutputError: the output folder cannot be made.
    """
    if output is None and not suffix:
        raise SettingError("an empty suffix would overwrite the inputs; give a suffix or an output folder")
    if suffix and (os.sep in suffix or "/" in suffix):
        raise SettingError(f"suffix {suffix!r} holds a slash; name the output folder with --output instead")
    jobs = Jobs()
    found = [entry for given in inputs for entry in _expand(given, jobs.failures)]
    roots = {root for _, root in found if root is not None}
    as_file = output is not None and output.suffix.lower() in PICTURE_SUFFIXES and not output.is_dir()
    if as_file and (roots or len(found) > 1):
        raise SettingError(f"{output} is one file, but there are several inputs; name a folder")
    if output is not None and not as_file:
        _make_folder(output)
    seen: set[Path] = set()
    makers: dict[Path, Path] = {}
    for source, root in found:
        real = source.resolve()
        if real in seen:
            continue
        seen.add(real)
        if _is_own(source, root, output, suffix):
            jobs.own.append(source)
            continue
        target = output if as_file and output else _target(source, root, output, suffix, len(roots) > 1)
        if target.resolve() == real:
            raise SettingError(f"{target} would overwrite its own input; choose another output folder")
        if target in makers:
            jobs.failures.append(f"{source}: {target} is {makers[target]}'s result; restore it by itself")
            continue
        makers[target] = source
        jobs.todo.append(Job(source, target))
    return jobs


def _is_own(source: Path, root: Path | None, output: Path | None, suffix: str) -> bool:
    """Is it an earlier result: by its name, or because it lies in an output folder inside the input's?"""
    if suffix and source.stem.endswith(suffix):
        return True
    if root is None or output is None:
        return False
    results = output.resolve()
    return root.resolve() in results.parents and results in source.resolve().parents


def _expand(given: str, failures: list[str]) -> Iterator[tuple[Path, Path | None]]:
    """Each file that one input stands for, with the folder that it was found in (None: named itself)."""
    path = Path(given)
    # A name that exists is not taken for a glob: it may hold brackets.
    matches = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(given, recursive=True))]
    if not matches:
        failures.append(f"{given}: there is no such file or folder; check the name")
    for match in matches:
        if not match.is_dir():
            yield match, None
            continue
        inside = sorted(file for file in match.rglob("*") if is_picture_name(file.name) and file.is_file())
        if not inside:
            failures.append(f"{match}: no picture in this folder; looked for {' '.join(PICTURE_SUFFIXES)}")
        for file in inside:
            yield file, match


def _target(source: Path, root: Path | None, output: Path | None, suffix: str, several: bool) -> Path:
    if output is None:
        return source.with_name(f"{source.stem}{suffix}{source.suffix}")
    if root is None:
        return output / source.name
    inside = source.relative_to(root)
    return output / root.resolve().name / inside if several else output / inside


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise OutputError(
            f"{folder} cannot be made a folder ({fault.strerror or fault}); choose another output folder"
        ) from fault
