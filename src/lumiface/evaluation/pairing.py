"""Which result belongs to which reference: by name, whatever the ending and, where clear, the folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError
from lumiface.data.sources import PictureSource
from lumiface.imaging.io import decode_rgb8


@dataclass(frozen=True, slots=True)
class Pairing:
    """Who belongs together, and who is left.

    Attributes:
        pairs: positions of a result and of its reference (None: there is none at all), in the results' order.
        without_reference: names of results that have no partner.
        without_result: names of references that have none.
        ambiguous: one line for each name that several pictures of one side share.
    """

    pairs: list[tuple[int, int | None]]
    without_reference: list[str]
    without_result: list[str]
    ambiguous: list[str]


@dataclass(frozen=True, slots=True)
class PicturePair:
    """A result and its reference, (H, W, 3) uint8 of one size; `target` None: there is no reference."""

    name: str
    output: npt.NDArray[np.uint8]
    target: npt.NDArray[np.uint8] | None


def pair_sources(results: PictureSource, references: PictureSource | None) -> Pairing:
    """Which pictures of two sources belong together; all results alone where there are no references.

    Raises:
        InputError: no result has a reference.
    """
    if references is None:
        return Pairing([(position, None) for position in range(len(results))], [], [], [])
    pairing = pair_by_name(results.names, references.names)
    if not pairing.pairs:
        raise InputError(
            f"no result has the name of a reference (results: {first_few(results.names)}; "
            f"references: {first_few(references.names)}); name them alike, endings may differ"
        )
    return pairing


def pair_by_name(results: Sequence[str], references: Sequence[str]) -> Pairing:
    """Pair paths inside two folders, with forward slashes.

    A result belongs to the reference of the same path; failing that, of the same path without its ending;
    failing that, of the same bare name in any folder, where that occurs once among what is left on either
    side. A single result and a single reference belong together whatever their names.
    """
    if len(results) == len(references) == 1:
        return Pairing([(0, 0)], [], [], [])
    found: dict[int, int] = {}
    ambiguous: list[str] = []
    left, right = list(range(len(results))), list(range(len(references)))
    for key in (str, _path, _name):
        ours, theirs = _group(results, left, key), _group(references, right, key)
        for name in ours.keys() & theirs.keys():
            if len(ours[name]) == len(theirs[name]) == 1:
                found[ours[name][0]] = theirs[name][0]
            elif key is _path:  # two endings of one path: nobody can tell which is meant
                same = [results[i] for i in ours[name]] + [references[i] for i in theirs[name]]
                ambiguous.append(f"{name}: more than one picture has this name ({', '.join(same)})")
                left = [i for i in left if i not in ours[name]]
                right = [i for i in right if i not in theirs[name]]
        taken = set(found.values())
        left = [i for i in left if i not in found]
        right = [i for i in right if i not in taken]
    return Pairing(
        [*sorted(found.items())],
        [results[i] for i in left],
        [references[i] for i in right],
        sorted(ambiguous),
    )


def read_pairs(
    results: PictureSource,
    references: PictureSource | None,
    pairs: Sequence[tuple[int, int | None]],
    failed: list[str],
) -> Iterator[PicturePair]:
    """The pictures as 8-bit RGB, one pair at a time; one that cannot be used becomes a line of `failed`."""
    for here, there in pairs:
        name, target = results.names[here], None
        try:
            output = decode_rgb8(results.read(here), name)
            if references is not None and there is not None:
                target = decode_rgb8(references.read(there), f"reference {references.names[there]}")
        except InputError as fault:
            failed.append(str(fault))
            continue
        if target is not None and target.shape != output.shape:
            sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (output, target)]
            failed.append(f"{name} is {sizes[0]} and its reference {sizes[1]}; make them of one size")
            continue
        yield PicturePair(name, output, target)


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first few of many names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _path(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _name(name: str) -> str:
    return PurePosixPath(name).stem


def _group(names: Sequence[str], positions: Sequence[int], key: Callable[[str], str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for position in positions:
        groups[key(names[position])].append(position)
    return groups
