"""The pack: many encoded pictures in one file with an index; a tar's padding costs a kilobyte per picture.

Layout, numbers little-endian:

| bytes | content |
|---|---|
| 8 | `lumipack` |
| 4 | version of the layout, 1 |
| 4 | length of the index, bytes |
| 4 | CRC-32 of all that follows |
| as stated | index: JSON with `format`, `quality`, `names` and `offsets` of the pictures |
| the rest | the pictures, one after the other |

`offsets` count from the end of the index. There is one more than pictures, the last being the end of the
file, so that the size of a picture is the difference of two.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from lumiface.core.errors import InputError
from lumiface.core.files import read_bytes, write_bytes

MAGIC = b"lumipack"
VERSION = 1
_PREFIX = struct.Struct("<8sIII")


@dataclass(frozen=True, slots=True)
class PackIndex:
    """What a pack holds.

    Attributes:
        format: of the pictures, "avif" or "webp".
        quality: at which they were encoded.
        names: of the pictures, in their order.
        offsets: of the first byte of each picture in the file, and of the file's end.
    """

    format: str
    quality: int
    names: tuple[str, ...]
    offsets: tuple[int, ...]


def is_pack(path: Path) -> bool:
    """Whether the file begins like a pack, of any version."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_index(path: Path) -> PackIndex:
    """The index of a pack. The whole file is read once and checked.

    Raises:
        InputError: the file is missing, not a pack, truncated, changed, or of a later version.
    """
    data = read_bytes(path)
    damaged = InputError(f"{path} is a damaged or truncated pack; copy it again or pack the faces again")
    if not data.startswith(MAGIC):
        raise InputError(f"{path} is not a pack of faces; write one by lumiface pack-faces")
    if len(data) < _PREFIX.size:
        raise damaged
    _, version, length, checksum = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise InputError(
            f"{path} is a pack of version {version}, but version {VERSION} is what is read; update lumiface"
        )
    content = memoryview(data)[_PREFIX.size :]
    if zlib.crc32(content) != checksum:
        raise damaged
    try:
        index: dict[str, Any] = json.loads(bytes(content[:length]))
        start = _PREFIX.size + length
        offsets = tuple(start + int(offset) for offset in index["offsets"])
        found = PackIndex(str(index["format"]), int(index["quality"]), tuple(index["names"]), offsets)
    except (ValueError, KeyError, TypeError) as fault:
        raise damaged from fault
    rising = all(one < other for one, other in pairwise(offsets))
    if len(offsets) != len(found.names) + 1 or not rising or offsets[-1] != len(data):
        raise damaged
    return found


def pack_bytes(picture_format: str, quality: int, names: Sequence[str], pictures: Sequence[bytes]) -> bytes:
    """The content of a pack."""
    offsets = list(accumulate(map(len, pictures), initial=0))
    facts = {"format": picture_format, "quality": quality, "names": list(names), "offsets": offsets}
    index = json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()
    content = b"".join([index, *pictures])
    return _PREFIX.pack(MAGIC, VERSION, len(index), zlib.crc32(content)) + content


def write_pack(
    path: Path, picture_format: str, quality: int, names: Sequence[str], pictures: Sequence[bytes]
) -> int:
    """Write a pack atomically; returns its size in bytes.

    Raises:
        OutputError: it cannot be written.
    """
    data = pack_bytes(picture_format, quality, names, pictures)
    write_bytes(path, data)
    return len(data)
