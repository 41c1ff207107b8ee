"""A set of pairs on disk: a folder of PNG files per side, and manifest.jsonl, one line per pair.

A line contains the file's name, its source with SHA-256 of that file's bytes, the settings, the sampled
parameters, and SHA-256 of each side's pixels. During a build lines are collected in manifest.jsonl.part, so
an interrupted build resumes where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError, OutputError
from lumiface.core.files import read_bytes, write_bytes
from lumiface.data.benchmarks.ground_truth import pixel_sha256
from lumiface.data.faults import Faults, usable_pictures
from lumiface.data.sources import Paths, PictureSource, open_source
from lumiface.imaging.io import decode_rgb8, encode_png

MANIFEST = "manifest.jsonl"
PART = "manifest.jsonl.part"

Record = dict[str, Any]
Settings = TypeVar("Settings")
Pixels = npt.NDArray[np.uint8]
Build = Callable[[bytes, str], tuple[Mapping[str, Pixels], Record]]
"""Bytes and name of an image file -> the picture of each side, (H, W, 3), and the sampled parameters."""


@dataclass(frozen=True, slots=True)
class PairKind:
    """A kind of set.

    Attributes:
        sides: the names of its folders, such as ("hr", "lr").
        settings: of the whole set, as written into every line.
        build: builds one pair.
        check: raises an InputError for a picture of which no pair can be built; quicker than `build`.
    """

    sides: tuple[str, ...]
    settings: Record
    build: Build
    check: Callable[[bytes, str], None]


def build_pairs(
    source: PictureSource | Paths,
    out: str | Path,
    kind: PairKind,
    progress: Callable[[int, int], None] | None = None,
    *,
    skip_bad: bool | None = None,
    log: Callable[[str], None] = print,
) -> Path:
    """Build a set, or resume an interrupted build. A complete set with equal content is not changed.

    All pictures are checked before the first pair is written.

    Args:
        source: pictures, or paths for `open_source`.
        out: the folder; created if needed.
        progress: called with (number of finished pairs, total number) after each pair.
        skip_bad: leave out pictures that cannot be used, with a line of `log` for each; see `Faults`.

    Returns:
        The path of the manifest.

    Raises:
        InputError: pictures cannot be used, or two would share one file; the message names all of them.
        OutputError: `out` holds a set of other pictures or other settings; it is not changed.
    """
    pictures = source if isinstance(source, PictureSource) else open_source(source)
    out = Path(out)
    complete = (out / MANIFEST).exists()
    records = read_records(out / (MANIFEST if complete else PART), unfinished=not complete)
    built = {record.get("source") for record in records.values()}  # their hashes are compared below

    def check(data: bytes, name: str) -> None:
        if name not in built:
            kind.check(data, name)

    pictures = usable_pictures(pictures, check, Faults(skip_bad, log))
    files = _output_names(pictures)
    unexpected = records.keys() ^ set(files) if complete else records.keys() - set(files)
    if unexpected:
        raise _other_set(out, min(unexpected))
    for index, file in enumerate(files):
        data, name = pictures.read(index), pictures.names[index]
        # An existing line must agree with the source and the settings, even if nothing is built.
        inputs = {"source": name, "source_sha256": hashlib.sha256(data).hexdigest(), **kind.settings}
        if file in records and not inputs.items() <= records[file].items():
            raise _other_set(out, file)
        if file not in records or not all((out / side / file).exists() for side in kind.sides):
            images, parameters = kind.build(data, name)
            hashes = {f"{side}_sha256": pixel_sha256(images[side]) for side in kind.sides}
            record = {"file": file, **inputs, **parameters, **hashes}
            if records.get(file, record) != record:
                raise _other_set(out, file)
            for side in kind.sides:
                write_bytes(out / side / file, encode_png(images[side]))
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
        InputError: no manifest, a missing file, or pixels that do not match the manifest.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        reason = "its build was interrupted; run it again" if (folder / PART).exists() else "it is no set"
        raise InputError(f"{folder} has no {MANIFEST}: {reason}")
    for file, record in read_records(folder / MANIFEST).items():
        yield (
            record,
            {side: _read_side(folder, side, file, record.get(f"{side}_sha256")) for side in sides},
        )


def read_built(folder: str | Path, protocol: str, read: Callable[[Record], Settings]) -> tuple[Settings, int]:
    """The settings of a set on disk, by its first line, and the number of its pairs.

    Args:
        protocol: of which the set must be.
        read: a line's record -> the settings; a damaged one raises what dictionaries and checks raise.

    Raises:
        InputError: no manifest, an empty or a damaged one, or one of another protocol.
    """
    path = Path(folder) / MANIFEST
    records = read_records(path)
    try:
        first = next(iter(records.values()))
        if (found := protocol_of(first)) != protocol:
            raise InputError(
                f"{folder} was built with --protocol {found}; this needs a set of --protocol {protocol}"
            )
        return read(first), len(records)
    except (StopIteration, KeyError, TypeError, ValueError) as fault:
        raise InputError(f"{path} is empty or damaged; remove the set and build it again") from fault


def protocol_of(record: Record) -> str:
    """The protocol of a line; the first sets, of LLF, do not name theirs."""
    return record.get("protocol", "llf")


def read_records(path: Path, *, unfinished: bool = False, key: str = "file") -> dict[str, Record]:
    """The lines of a manifest by `key`; of two with the same key the later one is used.

    An unfinished manifest may be absent, or end in an incomplete line, which is removed.

    Raises:
        InputError: it is missing, or a line is damaged.
    """
    if unfinished:
        text = path.read_bytes() if path.exists() else b""
        complete = text[: text.rfind(b"\n") + 1]
        if complete != text:
            write_bytes(path, complete)
    else:
        complete = read_bytes(path)
    lines = complete.decode().split("\n")
    records: dict[str, Record] = {}
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
            records[record[key]] = record
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError(f"{path}, line {number} is damaged ({fault}); remove the set") from fault
    if lines[-1]:
        raise InputError(f"{path} is truncated in its last line; remove the set and build it again")
    return records


def append_record(path: Path, record: Record) -> None:
    """Append one line to a manifest during a build.

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
    """The file's name, if it is inside the set's folder.

    Raises:
        InputError: the archive member `name` would be written outside of it.
    """
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        raise InputError(f"{name} is outside of the set's folder; rename it in the archive")
    return file


def _output_names(pictures: PictureSource) -> list[str]:
    files = [inside(str(PurePosixPath(name).with_suffix(".png")), name) for name in pictures.names]
    sources: dict[str, str] = {}
    shared: list[str] = []
    for file, name in zip(files, pictures.names, strict=True):
        if file in sources:
            shared.append(f"{sources[file]} and {name} would both become {file}")
        sources.setdefault(file, name)
    if shared:
        raise InputError("; ".join(shared) + "; build them as two sets")
    return files


def _read_side(folder: Path, side: str, file: str, sha256: str | None) -> Pixels:
    path = folder / side / file
    if sha256 is None:
        raise InputError(f"{folder / MANIFEST} lists no {side} pictures: this is a set of another kind")
    picture = decode_rgb8(read_bytes(path), str(path))
    if pixel_sha256(picture) != sha256:
        raise InputError(f"{path} does not match the manifest; delete it and build the set again")
    return picture


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"


def _other_set(out: Path, file: str) -> OutputError:
    return OutputError(f"{out} holds another set ({file} differs); choose another folder or remove this set")
