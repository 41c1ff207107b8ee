"""How large a pack is, part by part, and what to do if it is too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lumiface.core.errors import SettingError

LIMIT = 60 * 2**20
"""The most that a pack may hold, bytes; 64 MiB travel in all."""
SLACK = 2**17
BYTES_PER_SIDE = 14.0
"""Bytes of a face for each pixel of its side, about AVIF quality 45: what one more run has to leave."""
LEAST_BYTES_PER_SIDE = 9.0
"""The same for runs that are named: about quality 35, 33 dB, below which too much is lost."""
STEP = 2**19
"""Room is given in steps, so that small changes of the source do not encode all faces again."""

_ADVICE = {
    "faces": "lower `side` or name fewer `data`",
    "weights": "plan fewer runs with `init_from` (--runs)",
    "assets": "plan fewer runs (--runs)",
    "data": "name fewer `files`, or lower `validate_side`",
    "wheels": "leave out packages that are there already",
    "source.zip": "look for large files in src and configs",
}


def sizes_of(folder: Path) -> dict[str, int]:
    """Bytes of every file of a pack, by its path, largest first."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    sizes = {name: path.stat().st_size for name, path in files.items()}
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def table(sizes: Mapping[str, int], limit: int = LIMIT) -> str:
    """Sizes in MiB by file, small ones together, and their sum."""
    lines = [f"{size / 2**20:8.2f} MiB  {name}" for name, size in sizes.items() if size >= 2**16]
    small = [size for size in sizes.values() if size < 2**16]
    if small:
        lines.append(f"{sum(small) / 2**20:8.2f} MiB  {len(small)} small files")
    return "\n".join([*lines, f"{sum(sizes.values()) / 2**20:8.2f} MiB  in all, of {limit / 2**20:g}"])


def require_fit(sizes: Mapping[str, int], limit: int = LIMIT) -> None:
    """Refuse a pack that is too large.

    Raises:
        SettingError: one line with the largest parts, and how to shrink them.
    """
    total = sum(sizes.values())
    if total <= limit:
        return
    parts: dict[str, int] = {}
    for name, size in sizes.items():
        part = name.split("/")[0]
        parts[part] = parts.get(part, 0) + size
    largest = sorted(parts, key=lambda part: -parts[part])[:2]
    named = "; ".join(
        f"{part} {parts[part] / 2**20:.1f} MiB: {_ADVICE.get(part, 'remove it')}" for part in largest
    )
    raise SettingError(f"the pack holds {total / 2**20:.1f} MiB, more than {limit / 2**20:g}: {named}")


def least_bytes(sides: Mapping[int, int], per_side: float = BYTES_PER_SIDE) -> int:
    """The least room for faces, by the number of faces of each side."""
    return round(sum(per_side * side * count for side, count in sides.items()))


def split_room(room: int, sides: Sequence[Mapping[int, int]]) -> list[int]:
    """Bytes of each pack of faces, in proportion to the sum of their sides: so are sizes at equal quality.

    Args:
        room: of all packs, bytes.
        sides: of each pack, {side: number of faces}.
    """
    weights = [sum(side * count for side, count in each.items()) for each in sides]
    return [
        int(room * weight / sum(weights)) // STEP * STEP or int(room * weight / sum(weights))
        for weight in weights
    ]
