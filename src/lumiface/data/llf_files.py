"""An LLF set on disk: OUT/hr/*.png, OUT/lr/*.png and OUT/manifest.jsonl, one line a pair.

A line holds the file's name, α, β, γ, the noise, the settings, and SHA-256 of the source file's bytes and of
the pixels of HR and LR. While a set is being built its lines gather in manifest.jsonl.part, so a build that
was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lumiface.data.llf import LLFPair, LLFSettings, build_pair, pixel_sha256
from lumiface.data.sources import Paths, PictureSource, open_source
from lumiface.degradations.lowlight import Darkening, DarkeningRanges
from lumiface.errors import InputError, OutputError
from lumiface.files import read_bytes, write_bytes
from lumiface.image import decode_rgb8, encode_png

MANIFEST = "manifest.jsonl"
PART = "manifest.jsonl.part"

Record = dict[str, Any]


def build_llf(
    source: PictureSource | Paths,
    out: str | Path,
    settings: LLFSettings,
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
    records = _read_records(out / (MANIFEST if complete else PART), unfinished=not complete)
    strangers = records.keys() ^ set(files) if complete else records.keys() - set(files)
    if strangers:
        raise _other_set(out, min(strangers))
    for index, file in enumerate(files):
        data = pictures.read(index)
        wanted = _wanted(hashlib.sha256(data).hexdigest(), pictures.names[index], settings)
        if file in records and not wanted.items() <= records[file].items():
            raise _other_set(out, file)
        if file not in records or not all((out / side / file).exists() for side in ("hr", "lr")):
            pair = build_pair(data, pictures.names[index], settings)
            record = {"file": file, **wanted, **_made(pair)}
            if records.get(file, record) != record:
                raise _other_set(out, file)
            write_bytes(out / "hr" / file, encode_png(pair.hr))
            write_bytes(out / "lr" / file, encode_png(pair.lr))
            if file not in records:
                _append(out / PART, record)
            records[file] = record
        if progress is not None:
            progress(index + 1, len(files))
    if not complete:
        write_bytes(out / MANIFEST, "".join(_line(records[file]) for file in files).encode())
        (out / PART).unlink(missing_ok=True)
    return out / MANIFEST


def load_llf(folder: str | Path) -> Iterator[LLFPair]:
    """The pairs of a set on disk, in the manifest's order, each checked against its hashes.

    Raises:
        InputError: no manifest, a file that is missing, or pixels that are not those of the manifest.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        unfinished = "its build was not finished; run it again" if (folder / PART).exists() else "no LLF set"
        raise InputError(f"{folder} has no {MANIFEST}: {unfinished}")
    for file, record in _read_records(folder / MANIFEST).items():
        pixels = {side: _read_side(folder / side / file, record[f"{side}_sha256"]) for side in ("hr", "lr")}
        darkening = Darkening(record["alpha"], record["beta"], record["gamma"], record["noise"])
        yield LLFPair(record["source"], pixels["hr"], pixels["lr"], darkening, record["source_sha256"])


def built_settings(folder: str | Path) -> tuple[LLFSettings, int]:
    """What a set on disk was built with, and how many pairs it has.

    Raises:
        InputError: no manifest, an empty or a damaged one.
    """
    path = Path(folder) / MANIFEST
    records = _read_records(path)
    try:
        first = next(iter(records.values()))
        alpha, beta, gamma = (tuple(limits) for limits in first["ranges"])
        ranges = DarkeningRanges(alpha, beta, gamma, first["noise"])
        return LLFSettings(first["hr_size"], first["scale"], first["seed"], ranges), len(records)
    except (StopIteration, KeyError, TypeError, ValueError) as fault:
        raise InputError(f"{path} is empty or damaged; remove the set and build it again") from fault


def _read_side(path: Path, sha256: str) -> Any:
    picture = decode_rgb8(read_bytes(path), str(path))
    if pixel_sha256(picture) != sha256:
        raise InputError(f"{path} is not the picture of the manifest; delete it and build the set again")
    return picture


def _output_names(pictures: PictureSource) -> list[str]:
    files = [str(PurePosixPath(name).with_suffix(".png")) for name in pictures.names]
    taken: dict[str, str] = {}
    for file, name in zip(files, pictures.names, strict=True):
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise InputError(f"{name} leads out of the set's folder; rename it in the archive")
        if file in taken:
            raise InputError(f"{taken[file]} and {name} would both become {file}; build them as two sets")
        taken[file] = name
    return files


def _wanted(source_sha256: str, name: str, settings: LLFSettings) -> Record:
    """What is known before building: must agree with a line that is already there."""
    return {
        "source": name,
        "source_sha256": source_sha256,
        "seed": settings.seed,
        "scale": settings.scale,
        "hr_size": settings.hr_size,
        "ranges": [list(settings.ranges.alpha), list(settings.ranges.beta), list(settings.ranges.gamma)],
        "noise": settings.ranges.noise,
    }


def _made(pair: LLFPair) -> Record:
    return {
        "alpha": pair.darkening.alpha,
        "beta": pair.darkening.beta,
        "gamma": pair.darkening.gamma,
        "hr_sha256": pixel_sha256(pair.hr),
        "lr_sha256": pixel_sha256(pair.lr),
    }


def _read_records(path: Path, *, unfinished: bool = False) -> dict[str, Record]:
    """The lines of a manifest by file. An unfinished one may be absent, or end in half a line, which goes."""
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
            records[record["file"]] = record
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError(f"{path}, line {number} is damaged ({fault}); remove the set") from fault
    if lines[-1]:
        raise InputError(f"{path} is cut off in its last line; remove the set and build it again")
    return records


def _append(path: Path, record: Record) -> None:
    try:
        with path.open("ab") as lines:
            lines.write(_line(record).encode())
    except OSError as fault:
        raise OutputError(f"{path} cannot be written ({fault.strerror}); check the free space") from fault


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"


def _other_set(out: Path, file: str) -> OutputError:
    return OutputError(f"{out} holds another set ({file} differs); choose another folder or remove this one")
