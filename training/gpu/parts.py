"""Results as a tar in parts of limited size, and back; the standard library alone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PART_BYTES = 15 * 2**20
MAX_FILES = 8
"""The most files that come back from the machine; two of them are the report."""
MAX_BYTES = 60 * 2**20
STEM = "results.tar.part-"


class DamagedResultsError(Exception):
    """Parts that are absent or changed."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fitting(files: Sequence[Path], max_bytes: int = MAX_BYTES) -> tuple[list[Path], list[Path]]:
    """The files that fit, and those left out; the most important ones come first."""
    kept, left, room = list[Path](), list[Path](), max_bytes
    for file in files:
        size = file.stat().st_size + 1536  # a tar's header and padding
        (kept if size <= room else left).append(file)
        room -= size if size <= room else 0
    return kept, left


def write_parts(root: Path, files: Sequence[Path], out: Path, part_bytes: int = PART_BYTES) -> dict[str, Any]:
    """Write files as parts of one tar.

    Returns:
        SHA-256 of the tar and of each part: {"tar": …, "parts": {name: …}}.

    Raises:
        ValueError: there would be too many parts.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            archive.add(file, file.relative_to(root).as_posix(), recursive=False)
    data = buffer.getvalue()
    pieces = [data[start : start + part_bytes] for start in range(0, len(data), part_bytes)]
    if len(pieces) > MAX_FILES - 2:
        raise ValueError(f"{len(pieces)} parts; no more than {MAX_FILES - 2} come back")
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob(f"{STEM}*"):
        stale.unlink()
    names = [f"{STEM}{number}" for number in range(len(pieces))]
    for name, piece in zip(names, pieces, strict=True):
        (out / name).write_bytes(piece)
    return {
        "tar": sha256(data),
        "parts": {name: sha256(piece) for name, piece in zip(names, pieces, strict=True)},
    }


def collect(folder: Path, target: Path) -> list[str]:
    """Join the parts in a folder, verify them, and unpack them.

    Returns:
        The names of the files.

    Raises:
        DamagedResultsError: the report or a part is absent or changed.
    """
    try:
        digests = json.loads((folder / "report.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise DamagedResultsError(f"{folder / 'report.json'} is absent or damaged ({error})") from error
    data = b""
    for name, digest in digests["parts"].items():
        path = folder / name
        if not path.is_file():
            raise DamagedResultsError(f"{path} is absent; copy it from the machine")
        piece = path.read_bytes()
        if sha256(piece) != digest:
            raise DamagedResultsError(f"{path} was changed on its way; copy it again")
        data += piece
    if sha256(data) != digests["tar"]:
        raise DamagedResultsError(f"{folder}: the parts do not make the tar that was written")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        archive.extractall(target, filter="data")
        return archive.getnames()
