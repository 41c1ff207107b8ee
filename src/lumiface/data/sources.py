"""Pictures in folders, uncompressed tar archives, packs or single files, read one by one."""

from __future__ import annotations

import glob
import itertools
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumiface.core.errors import InputError
from lumiface.core.files import read_bytes
from lumiface.data.pack_file import is_pack, read_index
from lumiface.imaging.io import PICTURE_SUFFIXES

Paths = str | Path | Iterable[str | Path]


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture: a whole file (`offset` None) or `size` bytes of an archive from `offset` on."""

    name: str
    container: Path
    offset: int | None = None
    size: int = 0


class PictureSource(Sequence[bytes]):
    """A list of pictures, read on demand. Holds no open file, so it can be pickled and shared by processes.

    Attributes:
        entries: the pictures.
        names: their paths inside the folder or archive, with forward slashes.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.names = tuple(entry.name for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        return self.read(index)

    def read(self, index: int) -> bytes:
        """The bytes of picture `index`, still encoded.

        Raises:
            InputError: its file no longer exists, is empty, or is shorter than the archive's index states.
        """
        entry = self.entries[index]
        if entry.offset is None:
            return read_bytes(entry.container)
        try:
            with entry.container.open("rb") as archive:
                archive.seek(entry.offset)
                data = archive.read(entry.size)
        except OSError as fault:
            raise InputError(
                f"{entry.container} cannot be read ({fault.strerror}); check the file"
            ) from fault
        if len(data) != entry.size or not data:
            raise InputError(f"{entry.container}: {entry.name} is empty or truncated; copy the archive again")
        return data

    def items(self) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of every picture, in order."""
        for index, name in enumerate(self.names):
            yield name, self.read(index)

    def first(self, count: int) -> PictureSource:
        """The first `count` pictures, or all if there are fewer."""
        return PictureSource(self.entries[:count])


def open_source(paths: Paths) -> PictureSource:
    """Find pictures in one path or several: folders, uncompressed tars, packs, picture files, and
    globs of these.

    A folder is searched recursively, in sorted order; an archive keeps its own order. Hidden files (whose
    name begins with a dot) are skipped.

    Raises:
        InputError: a path does not exist, an archive is damaged or compressed, or no picture is found.
    """
    patterns = [paths] if isinstance(paths, (str, Path)) else list(paths)
    entries = [entry for pattern in patterns for path in expand(pattern) for entry in _entries(path)]
    if not entries:
        searched = ", ".join(str(pattern) for pattern in patterns) or "an empty list"
        raise InputError(f"no picture found in {searched}; supported are {' '.join(PICTURE_SUFFIXES)}")
    return PictureSource(entries)


def is_picture_name(name: str) -> bool:
    """Whether the name has the suffix of a picture and is not hidden."""
    path = Path(name)
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def expand(path: str | Path) -> list[Path]:
    """The files and folders that match a path or a glob.

    Raises:
        InputError: there are none.
    """
    if Path(path).exists():  # before the glob: a name may contain brackets
        return [Path(path)]
    found = sorted(glob.glob(str(path), recursive=True))
    if not found:
        raise InputError(f"{path}: there is no such file or folder; check the name")
    return [Path(name) for name in found]


def _entries(path: Path) -> list[Entry]:
    if path.is_dir():
        inside = ((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
        return [Entry(name, file) for name, file in sorted(inside) if is_picture_name(name)]
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return [Entry(path.name, path)]
    return _pack_entries(path) if is_pack(path) else _tar_entries(path)


def _pack_entries(path: Path) -> list[Entry]:
    index = read_index(path)
    bounds = itertools.pairwise(index.offsets)
    return [
        Entry(name, path, start, end - start) for name, (start, end) in zip(index.names, bounds, strict=True)
    ]


def _tar_entries(path: Path) -> list[Entry]:
    try:
        with tarfile.open(path, "r:") as archive:
            members = [member for member in archive if member.isfile() and is_picture_name(member.name)]
    except (tarfile.TarError, OSError) as fault:
        raise InputError(
            f"{path} is neither a folder, a picture nor a plain tar ({fault}); unpack it if it is compressed"
        ) from fault
    end = path.stat().st_size
    for member in members:
        if member.offset_data + member.size > end:
            raise InputError(f"{path} is truncated at {member.name}; copy it again from its source")
    return [Entry(m.name.removeprefix("./"), path, m.offset_data, m.size) for m in members]
