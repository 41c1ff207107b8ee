"""Bad pictures of a set: all are found before anything is built, and named, or left out on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from lumiface.core.errors import InputError
from lumiface.core.parallel import ordered_map
from lumiface.data.sources import PictureSource

Item = TypeVar("Item")
Result = TypeVar("Result")


class Faults:
    """Collects what is wrong with the pictures of a set.

    Args:
        skip_bad: leave bad pictures out; False: refuse the set; None: refuse it, and offer no option.
        log: receives a line for each picture that is left out, and one with their number.

    Attributes:
        lines: one per bad picture.
        checked: number of pictures looked at, the bad ones included.
    """

    def __init__(self, skip_bad: bool | None = None, log: Callable[[str], None] = print) -> None:
        self.skip_bad, self.log = skip_bad, log
        self.lines: list[str] = []
        self.checked = 0

    def usable(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """`function` of each item, on all cores, in order, without those that raise an InputError."""

        def attempt(item: Item) -> tuple[Item, Result | InputError]:
            try:
                return item, function(item)
            except InputError as fault:
                return item, fault

        for item, result in ordered_map(attempt, items):
            self.checked += 1
            if isinstance(result, InputError):
                self.note(str(result))
            else:
                yield item, result

    def note(self, line: str) -> None:
        """One picture that was looked at turned out bad."""
        self.lines.append(line)

    def settle(self) -> None:
        """Say what was found since the last time.

        Raises:
            InputError: there are bad pictures, not to be skipped or without good ones; names them all.
        """
        lines, checked = self.lines, self.checked
        self.lines, self.checked = [], 0
        if not lines:
            return
        count = f"{len(lines)} of {checked} pictures cannot be used"
        if not self.skip_bad or len(lines) == checked:
            offer = ", or go on without them by --skip-bad" if self.skip_bad is False else ""
            raise InputError(
                f"{count}; mend or remove them{offer}:" + "".join(f"\n  {line}" for line in lines)
            )
        for line in lines:
            self.log(line)
        self.log(f"{count} and are left out")


def usable_pictures(
    source: PictureSource,
    check: Callable[[bytes, str], object],
    faults: Faults,
) -> PictureSource:
    """The source without the pictures for which `check(bytes, name)` raises an InputError.

    Raises:
        InputError: there are such, and they are not to be skipped; the message names all of them.
    """

    def examine(index: int) -> None:
        check(source.read(index), source.names[index])

    kept = [source.entries[index] for index, _ in faults.usable(examine, range(len(source)))]
    faults.settle()
    return PictureSource(kept)
