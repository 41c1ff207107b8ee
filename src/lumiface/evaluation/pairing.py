"""Pairs of results and references: by name, whatever the suffix and, where unambiguous, the folder."""

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
    """The pairs, and what is left unpaired.

    Attributes:
        pairs: indices of a result and its reference (None: there are no references), in the results' order.
        without_reference: names of results that have no reference.
        without_result: names of references that have no result.
        ambiguous: one line for each name that several results or several references share.
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
    """Pair the pictures of two sources; all results alone where there are no references.

    Raises:
        InputError: no result has a reference.
    """
    if references is None:
        return Pairing([(index, None) for index in range(len(results))], [], [], [])
    pairing = pair_by_name(results.names, references.names)
    if not pairing.pairs:
        raise InputError(
            f"no result has the name of a reference (results: {first_few(results.names)}; "
            f"references: {first_few(references.names)}); give them equal names, suffixes may differ"
        )
    return pairing


def pair_by_name(results: Sequence[str], references: Sequence[str]) -> Pairing:
    """Pair paths inside two folders, with forward slashes.

    A result is paired with the reference of the same path; failing that, of the same path without its suffix;
    failing that, of the same bare name in any folder, where that occurs once among what is left of either.
    A single result and a single reference are a pair whatever their names.
    """
    if len(results) == len(references) == 1:
        return Pairing([(0, 0)], [], [], [])
    found: dict[int, int] = {}
    ambiguous: list[str] = []
    left, right = list(range(len(results))), list(range(len(references)))
    for key in (str, _path, _name):
        outputs, targets = _group(results, left, key), _group(references, right, key)
        for name in outputs.keys() & targets.keys():
            if len(outputs[name]) == len(targets[name]) == 1:
                found[outputs[name][0]] = targets[name][0]
            elif key is _path:  # two suffixes of one path: ambiguous
                same = [results[i] for i in outputs[name]] + [references[i] for i in targets[name]]
                ambiguous.append(f"{name}: more than one picture has this name ({', '.join(same)})")
                left = [i for i in left if i not in outputs[name]]
                right = [i for i in right if i not in targets[name]]
        paired = set(found.values())
        left = [i for i in left if i not in found]
        right = [i for i in right if i not in paired]
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
    for index, reference in pairs:
        name, target = results.names[index], None
        try:
            output = decode_rgb8(results.read(index), name)
            if references is not None and reference is not None:
                target = decode_rgb8(references.read(reference), f"reference {references.names[reference]}")
        except InputError as fault:
            failed.append(str(fault))
            continue
        if target is not None and target.shape != output.shape:
            sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (output, target)]
            failed.append(f"{name} is {sizes[0]} and its reference {sizes[1]}; make them of one size")
            continue
        yield PicturePair(name, output, target)


def first_few(names: Sequence[str], limit: int = 3) -> str:
    """The first few of many names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _path(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _name(name: str) -> str:
    return PurePosixPath(name).stem


def _group(names: Sequence[str], indices: Sequence[int], key: Callable[[str], str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        groups[key(names[index])].append(index)
    return groups
