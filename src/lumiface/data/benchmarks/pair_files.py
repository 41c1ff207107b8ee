"""A set of pairs on disk: a folder of PNG files for each side, and manifest.jsonl, one line a pair.

A line holds the file's name, its source with SHA-256 of that file's bytes, the settings, what was drawn, and
SHA-256 of each side's pixels. While a set is being built its lines gather in manifest.jsonl.part, so a build
that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError, OutputError
from lumiface.core.files import read_bytes, write_bytes
from lumiface.data.benchmarks.ground_truth import pixel_sha256
from lumiface.data.sources import Paths, PictureSource, open_source
from lumiface.imaging.io import decode_rgb8, encode_png

MANIFEST = "manifest.jsonl"
PART = "manifest.jsonl.part"

Record = dict[str, Any]
Pixels = npt.NDArray[np.uint8]
Build = Callable[[bytes, str], tuple[Mapping[str, Pixels], Record]]
"""A picture file's bytes and its name -> the picture of each side, (H, W, 3), and what was drawn."""


@dataclass(frozen=True, slots=True)
class PairKind:
    """A kind of set.

    Attributes:
        sides: the names of its folders, such as ("hr", "lr").
        settings: what the whole set is built with, as it goes into every line.
        build: makes one pair.
    """

    sides: tuple[str, ...]
    settings: Record
    build: Build


def build_pairs(
    source: PictureSource | Paths,
    out: str | Path,
    kind: PairKind,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Build a set, or finish one that was begun. A set that is complete and the same is left as it is.

    Args:
        source: pictures, or paths for `open_source`.
        out: the folder; made if need be.
        progress: called with (pairs done, pairs in all) after each pair.

    Returns:
        The path of the manifest.

    Raises:
        InputError: a picture that cannot be used, or two that would share one file.
        OutputError: `out` holds a set of other pictures or other settings; nothing of it is touched.
    """
    pictures = source if isinstance(source, PictureSource) else open_source(source)
    out = Path(out)
    files = _output_names(pictures)
    complete = (out / MANIFEST).exists()
    records = read_records(out / (MANIFEST if complete else PART), unfinished=not complete)
    strangers = records.keys() ^ set(files) if complete else records.keys() - set(files)
    if strangers:
        raise _other_set(out, min(strangers))
    for index, file in enumerate(files):
        data, name = pictures.read(index), pictures.names[index]
        # What is known before building must agree with a line that is already there.
        wanted = {"source": name, "source_sha256": hashlib.sha256(data).hexdigest(), **kind.settings}
        if file in records and not wanted.items() <= records[file].items():
            raise _other_set(out, file)
        if file not in records or not all((out / side / file).exists() for side in kind.sides):
            made, drawn = kind.build(data, name)
            hashes = {f"{side}_sha256": pixel_sha256(made[side]) for side in kind.sides}
            record = {"file": file, **wanted, **drawn, **hashes}
            if records.get(file, record) != record:
                raise _other_set(out, file)
            for side in kind.sides:
                write_bytes(out / side / file, encode_png(made[side]))
            if file not in records:
                append_record(out / PART, record)
            records[file] = record
        if progress is not None:
            progress(index + 1, len(files))
    if not complete:
        write_bytes(out / MANIFEST, "".join(_line(records[file]) for file in files).encode())
        (out / PART).unlink(missing_ok=True)
    return out / MANIFEST


def load_pairs(folder: str | Path, sides: tuple[str, ...]) -> Iterator[tuple[Record, dict[str, Pixels]]]:
    """The manifest's lines with each side's picture, in order, each checked against its hash.

    Raises:
        InputError: no manifest, a file that is missing, or pixels that are not those of the manifest.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        unfinished = "its build was not finished; run it again" if (folder / PART).exists() else "no set"
        raise InputError(f"{folder} has no {MANIFEST}: {unfinished}")
    for file, record in read_records(folder / MANIFEST).items():
        yield (
            record,
            {side: _read_side(folder, side, file, record.get(f"{side}_sha256")) for side in sides},
        )


def read_records(path: Path, *, unfinished: bool = False, key: str = "file") -> dict[str, Record]:
    """The lines of a manifest by `key`; of two alike the later counts.

    An unfinished one may be absent, or end in half a line, which goes.

    Raises:
        InputError: it is missing, or a line is damaged.
    """
    if unfinished:
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            write_bytes(path, whole)
    else:
        whole = read_bytes(path)
    lines = whole.decode().split("\n")
    records: dict[str, Record] = {}
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
            records[record[key]] = record
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError(f"{path}, line {number} is damaged ({fault}); remove the set") from fault
    if lines[-1]:
        raise InputError(f"{path} is cut off in its last line; remove the set and build it again")
    return records


def append_record(path: Path, record: Record) -> None:
    """Add one line to a manifest that is being built.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as lines:
            lines.write(_line(record).encode())
    except OSError as fault:
        raise OutputError(f"{path} cannot be written ({fault.strerror}); check the free space") from fault


def inside(file: str, name: str) -> str:
    """The file's name, if it stays inside the set's folder.

    Raises:
        InputError: an archive's member that would leave it.
    """
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        raise InputError(f"{name} leads out of the set's folder; rename it in the archive")
    return file


def _output_names(pictures: PictureSource) -> list[str]:
    files = [inside(str(PurePosixPath(name).with_suffix(".png")), name) for name in pictures.names]
    taken: dict[str, str] = {}
    for file, name in zip(files, pictures.names, strict=True):
        if file in taken:
            raise InputError(f"{taken[file]} and {name} would both become {file}; build them as two sets")
        taken[file] = name
    return files


def _read_side(folder: Path, side: str, file: str, sha256: str | None) -> Pixels:
    path = folder / side / file
    if sha256 is None:
        raise InputError(f"{folder / MANIFEST} knows no {side} pictures: this is a set of another kind")
    picture = decode_rgb8(read_bytes(path), str(path))
    if pixel_sha256(picture) != sha256:
        raise InputError(f"{path} is not the picture of the manifest; delete it and build the set again")
    return picture


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"


def _other_set(out: Path, file: str) -> OutputError:
    return OutputError(f"{out} holds another set ({file} differs); choose another folder or remove this one")
